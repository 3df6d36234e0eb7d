// Package doctor looks at everything that a deployment rests on, and says what to mend. It changes nothing.
package doctor

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/config"
)

// Status is how something was found.
type Status string

// The statuses, the better before the worse.
const (
	OK      Status = "ok"
	Skipped Status = "skipped" // it can't be looked at while something else fails
	Warning Status = "warn"    // the deployment can live with it
	Failure Status = "fail"    // it can't
)

// Finding is what one check, or one of its parts, has found.
type Finding struct {
	Check  string `json:"check"` // such as kafka.topics
	Status Status `json:"status"`
	Detail string `json:"detail"`
	Remedy string `json:"remedy,omitempty"` // what to do, where there is something
}

// Report is what all checks have found, in a fixed order of checks.
type Report struct {
	Findings []Finding `json:"checks"`
}

// Count returns how many findings have a status.
func (r *Report) Count(s Status) (n int) {
	for _, f := range r.Findings {
		if f.Status == s {
			n++
		}
	}
	return n
}

// Subject is what is looked at. Clients stay the caller's.
type Subject struct {
	Config *config.Config

	Kafka *kgo.Client
	Redis redis.UniversalClient // nil where no stage keeps states
	Store Store                 // nil without Redis

	Registry *sr.Client           // nil where schemas lie in a folder
	Schemas  []codec.Registration // that the deployment writes with

	Now func() time.Time
}

// Store is the mirror's own check of Redis.
type Store interface {
	Check(context.Context) error
	Warnings() []string // of the newest check that succeeded
}

// Examine looks at everything. Each service has as long as one request to it may take; those that are out of reach are found to be.
func Examine(ctx context.Context, s *Subject, timeout time.Duration) *Report {
	checks := []func(context.Context, *Subject) []Finding{examineSettings, examineChecklist, examineKafka, examineRedis, examineRegistry}
	found := make([][]Finding, len(checks))
	var all sync.WaitGroup
	for i, check := range checks {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, timeout)
			defer cancel()
			found[i] = check(ctx, s)
		})
	}
	all.Wait()
	r := &Report{}
	for _, f := range found {
		r.Findings = append(r.Findings, f...)
	}
	return r
}

// findings collects what one check after another finds.
type findings []Finding

func (f *findings) ok(check, detail string) { *f = append(*f, Finding{check, OK, detail, ""}) }

func (f *findings) skip(check, detail string) { *f = append(*f, Finding{check, Skipped, detail, ""}) }

func (f *findings) warn(check, detail, remedy string) {
	*f = append(*f, Finding{check, Warning, detail, remedy})
}

func (f *findings) fail(check, detail, remedy string) {
	*f = append(*f, Finding{check, Failure, detail, remedy})
}

// failures adds each of the errors that were joined, a line each.
func (f *findings) failures(check string, err error) {
	for line := range strings.SplitSeq(err.Error(), "\n") {
		f.sentence(check, Failure, line)
	}
}

// sentence adds what a check of others says: the remedy comes after a semicolon.
func (f *findings) sentence(check string, status Status, text string) {
	detail, remedy, _ := strings.Cut(text, "; ")
	*f = append(*f, Finding{check, status, detail, remedy})
}
