// Package api serves what a deployment knows over HTTP: accounts, PQLs, metrics, the checklist and how the instance does, as
// openapi.yaml describes it, and the page.
//
// It knows no Kafka and no Redis: what it needs it names as interfaces. All of it reads, nothing can be changed over it.
package api

import (
	"context"
	_ "embed" // the description
	"errors"
	"log/slog"
	"net/http"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/checklist"
	"github.com/pqlstream/pqlstream/pkg/inspect"
	"github.com/pqlstream/pqlstream/pkg/report"
	"github.com/pqlstream/pqlstream/pkg/rollup"
	"github.com/pqlstream/pqlstream/pkg/telemetry"
)

// Description is the OpenAPI 3.1 description of the API.
//
//go:embed openapi.yaml
var Description []byte

// Errors by which parts say why there is no answer. Those of pkg/inspect are understood as well.
var (
	// ErrQuery says that a request asks for something in a way that can't be answered. The error says what is wrong.
	ErrQuery = errors.New("the query can't be answered")
	// ErrNotFound says that there is no such thing.
	ErrNotFound = errors.New("there is no such thing")
	// ErrUnavailable says that there is no answer now, or not here. The error says what helps.
	ErrUnavailable = errors.New("not available")
)

// Accounts are the accounts of a deployment. pkg/inspect says what they are, and which errors there are.
type Accounts interface {
	// Get explains an account. The time is in ms since the Unix epoch. inspect.ErrNoAccount, inspect.ErrNotReady.
	Get(ctx context.Context, id string, at int64) (account.View, error)
	// List returns a page of a list. inspect.ErrQuery, inspect.ErrNotReady.
	List(ctx context.Context, q inspect.Query) (inspect.Page, error)
}

// Metrics are the rows of metrics that there are now.
type Metrics interface {
	// Rows returns a page of the rows that are wanted, none where there are none, by unit, zone, group, metric, time and detail.
	// ErrQuery, ErrUnavailable.
	Rows(ctx context.Context, q MetricsQuery) (MetricsPage, error)
	// Catalog says which rows there are. ErrUnavailable.
	Catalog(ctx context.Context) (MetricsCatalog, error)
}

// MetricsQuery asks for a page of rows of metrics.
type MetricsQuery struct {
	report.Query
	Limit  int    // rows at most, from 1 to MaxMetricRows
	Cursor string // MetricsPage.Next of the page before; empty: the first page
}

// MetricsPage is some of the rows that a query asks for.
type MetricsPage struct {
	AsOf *int64 // the newest watermark of all rows, ms since the Unix epoch; nil: there are no rows
	Rows []rollup.Row
	Next string // what MetricsQuery.Cursor takes for the next page; empty: this is the last
}

// MetricsCatalog says which metrics there are, and of what.
type MetricsCatalog struct {
	Metrics   []MetricInfo `json:"metrics"` // in the order in which they are shown
	Units     []string     `json:"units"`   // the shortest first
	Zones     []string     `json:"zones"`
	Groupings []Grouping   `json:"groupings"`
	NorthStar *NorthStar   `json:"north_star"` // nil: none is chosen
}

// MetricInfo is a metric. See report.Metric.
type MetricInfo struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	Says  string `json:"says"`
}

// Grouping is a way of telling accounts apart, by rollup.GroupingName, with the groups that there are, by rollup.GroupName.
type Grouping struct {
	Name   string   `json:"name"`
	Groups []string `json:"groups"`
}

// NorthStar is the number that was chosen to be watched, in its newest closed window.
type NorthStar struct {
	Metric      string   `json:"metric"`
	Detail      string   `json:"detail"`
	Unit        string   `json:"unit"`
	Zone        string   `json:"zone"`
	Grouping    string   `json:"grouping"`
	Group       string   `json:"group"`
	Field       string   `json:"field"`        // of the row
	Low         *float64 `json:"low"`          // nil: as low as it likes
	High        *float64 `json:"high"`         // nil: as high as it likes
	Value       *float64 `json:"value"`        // nil: there is no such row yet
	WindowStart *int64   `json:"window_start"` // of the row, ms since the Unix epoch
	Within      *bool    `json:"within"`       // neither below Low nor above High; nil: not known
}

// Checklists are the checklists of a deployment.
type Checklists interface {
	// Current is the checklist that the instance goes by, as written and compiled. ErrUnavailable.
	Current() (text string, rules *checklist.Checklist, err error)
	// Versions are all that have decided, the newest first. ErrUnavailable.
	Versions(ctx context.Context) ([]ChecklistVersion, error)
}

// ChecklistVersion is a checklist that has decided.
type ChecklistVersion struct {
	Name    string `json:"name"`
	Version int    `json:"version"`
	Hash    string `json:"hash"`
	Since   int64  `json:"since"` // when a process went by it first, ms since the Unix epoch
	Text    string `json:"-"`     // the definition, YAML
}

// Status says how the instance does.
type Status interface {
	Status() Report
}

// Report is how an instance does.
type Report struct {
	Version   string                `json:"version"` // of pqlstream
	Instance  string                `json:"instance"`
	Ready     bool                  `json:"ready"`
	Waiting   []telemetry.Condition `json:"waiting"`
	StartedAt int64                 `json:"started_at"` // ms since the Unix epoch
	Stages    []Stage               `json:"stages"`
}

// Stage is how a stage does in the instance. See stream.Gauges.
type Stage struct {
	Stage         string `json:"stage"`
	Partitions    int    `json:"partitions"`
	Waiting       int    `json:"waiting"`
	Lag           int64  `json:"lag"`
	MirrorBacklog int    `json:"mirror_backlog"`
	Cached        int    `json:"cached"`
	Tasks         []Task `json:"tasks"`
}

// Task is how far one partition is.
type Task struct {
	Topic      string          `json:"topic"`
	Partition  int32           `json:"partition"`
	WaitingFor string          `json:"waiting_for"` // empty: nothing
	Watermark  *int64          `json:"watermark"`   // ms since the Unix epoch; nil: nothing is known yet
	Lag        int64           `json:"lag"`         // records
	HeldBy     *TopicPartition `json:"held_by"`     // what holds time back; nil: nothing is known to
}

// TopicPartition names a partition.
type TopicPartition struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
}

// Parts are what the API serves. Where one is nil, requests for it are answered with what is missing.
type Parts struct {
	Accounts   Accounts
	Metrics    Metrics
	Checklists Checklists
	Status     Status
	Leads      *Leads
	Page       http.Handler // serves all that is not under /v1, and refuses with Refuse; nil: nothing is there
}

// Limits bound what clients may ask for.
type Limits struct {
	Token             string  // empty: none is needed, and only requests to names of this machine itself are answered
	RequestsPerSecond float64 // of all clients together; twice as many at once
	Streams           int     // clients that follow leads at the same time
}

// New returns the API's handler. What can't be answered for reasons that are not the client's is logged.
func New(parts Parts, limits Limits, log *slog.Logger) http.Handler {
	s := &server{parts: parts, streams: make(chan struct{}, limits.Streams), log: log}
	mux := http.NewServeMux()
	for _, r := range s.routes() {
		mux.Handle(r.path, r)
	}
	mux.HandleFunc("/v1", missing)
	mux.HandleFunc("/v1/", missing)
	mux.Handle("/", s.page())
	return newGuard(mux, limits)
}
