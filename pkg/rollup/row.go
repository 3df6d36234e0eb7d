package rollup

import (
	"encoding/binary"
	"math"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// Row is one row of a metric: what pql.metrics carries (schemas/metric_row.avsc). It is flat, so that whatever reads tables
// can take it in. What a metric has not is unknown; docs/metrics.md says which columns each metric has.
type Row struct {
	Metric      string
	Detail      string // tells apart the rows that a metric has of one window: days, a step, a fact's type, per cent
	Unit        string
	WindowStart int64 // ms since the Unix epoch, as all times
	WindowEnd   int64 // the first moment that no longer belongs to it
	Zone        string
	Grouping    string // dimensions with commas between them; empty: all accounts are one group
	Group       string // their values, see GroupName

	Revision int64 // grows with each version of the row
	Closed   bool  // the watermark has passed the window's end and the lateness: from now on there are only corrections
	MatureAt Null[int64]
	Mature   bool   // the row is closed, and MatureAt has passed if there is one
	Restated string // what has corrected the row since it was closed, with commas between
	AsOf     int64  // the watermark that the row was made at

	First          Null[int64]
	Repeated       Null[int64]
	Raw            Null[int64]
	CurrentStart   Null[int64]
	CurrentEnd     Null[int64]
	Inflow         Null[int64]
	Outflow        Null[int64]
	InQualified    Null[int64]
	InRequalified  Null[int64]
	InSegment      Null[int64]
	OutInactive    Null[int64]
	OutTrialEnded  Null[int64]
	OutStepUndone  Null[int64]
	OutExcluded    Null[int64]
	OutTierChanged Null[int64]
	OutSegment     Null[int64]
	OutDefinition  Null[int64]
	OutConverted   Null[int64]
	OutOther       Null[int64]

	Numerator          Null[int64]
	Denominator        Null[int64]
	Rate               Null[float64]
	Low                Null[float64]
	High               Null[float64]
	ControlNumerator   Null[int64]
	ControlDenominator Null[int64]
	ControlRate        Null[float64]
	Lift               Null[float64]
	Difference         Null[float64]
	DifferenceLow      Null[float64]
	DifferenceHigh     Null[float64]
	Position           Null[int64]
	Previous           Null[int64]

	Count         Null[int64]
	Mean          Null[float64] // s, as all durations
	Min           Null[float64]
	Max           Null[float64]
	P50           Null[float64]
	P75           Null[float64]
	P90           Null[float64]
	P99           Null[float64]
	Sketch        []byte // DDSketch in Protocol Buffers, of seconds; nil: there is none
	SignupUnknown Null[int64]
}

// Null is a number that may be unknown.
type Null[T int64 | float64] struct {
	Value T
	Known bool
}

func some[T int64 | float64](v T) Null[T] { return Null[T]{v, true} }

// Column is one column of a Row.
type Column struct {
	Name string
	Of   func(*Row) any // where it lies in a row: *string, *int64, *bool, *[]byte, *Null[int64] or *Null[float64]
}

// Columns are all columns of a Row, in the order of the schema.
var Columns = []Column{
	{"metric", func(r *Row) any { return &r.Metric }},
	{"detail", func(r *Row) any { return &r.Detail }},
	{"unit", func(r *Row) any { return &r.Unit }},
	{"window_start", func(r *Row) any { return &r.WindowStart }},
	{"window_end", func(r *Row) any { return &r.WindowEnd }},
	{"zone", func(r *Row) any { return &r.Zone }},
	{"grouping", func(r *Row) any { return &r.Grouping }},
	{"group", func(r *Row) any { return &r.Group }},
	{"revision", func(r *Row) any { return &r.Revision }},
	{"closed", func(r *Row) any { return &r.Closed }},
	{"mature_at", func(r *Row) any { return &r.MatureAt }},
	{"mature", func(r *Row) any { return &r.Mature }},
	{"restated", func(r *Row) any { return &r.Restated }},
	{"as_of", func(r *Row) any { return &r.AsOf }},
	{"first", func(r *Row) any { return &r.First }},
	{"repeated", func(r *Row) any { return &r.Repeated }},
	{"raw", func(r *Row) any { return &r.Raw }},
	{"current_start", func(r *Row) any { return &r.CurrentStart }},
	{"current_end", func(r *Row) any { return &r.CurrentEnd }},
	{"inflow", func(r *Row) any { return &r.Inflow }},
	{"outflow", func(r *Row) any { return &r.Outflow }},
	{"in_qualified", func(r *Row) any { return &r.InQualified }},
	{"in_requalified", func(r *Row) any { return &r.InRequalified }},
	{"in_segment_changed", func(r *Row) any { return &r.InSegment }},
	{"out_inactive", func(r *Row) any { return &r.OutInactive }},
	{"out_trial_ended", func(r *Row) any { return &r.OutTrialEnded }},
	{"out_step_undone", func(r *Row) any { return &r.OutStepUndone }},
	{"out_excluded", func(r *Row) any { return &r.OutExcluded }},
	{"out_tier_changed", func(r *Row) any { return &r.OutTierChanged }},
	{"out_segment_changed", func(r *Row) any { return &r.OutSegment }},
	{"out_definition_changed", func(r *Row) any { return &r.OutDefinition }},
	{"out_converted", func(r *Row) any { return &r.OutConverted }},
	{"out_other", func(r *Row) any { return &r.OutOther }},
	{"numerator", func(r *Row) any { return &r.Numerator }},
	{"denominator", func(r *Row) any { return &r.Denominator }},
	{"rate", func(r *Row) any { return &r.Rate }},
	{"low", func(r *Row) any { return &r.Low }},
	{"high", func(r *Row) any { return &r.High }},
	{"control_numerator", func(r *Row) any { return &r.ControlNumerator }},
	{"control_denominator", func(r *Row) any { return &r.ControlDenominator }},
	{"control_rate", func(r *Row) any { return &r.ControlRate }},
	{"lift", func(r *Row) any { return &r.Lift }},
	{"difference", func(r *Row) any { return &r.Difference }},
	{"difference_low", func(r *Row) any { return &r.DifferenceLow }},
	{"difference_high", func(r *Row) any { return &r.DifferenceHigh }},
	{"position", func(r *Row) any { return &r.Position }},
	{"previous", func(r *Row) any { return &r.Previous }},
	{"count", func(r *Row) any { return &r.Count }},
	{"mean", func(r *Row) any { return &r.Mean }},
	{"min", func(r *Row) any { return &r.Min }},
	{"max", func(r *Row) any { return &r.Max }},
	{"p50", func(r *Row) any { return &r.P50 }},
	{"p75", func(r *Row) any { return &r.P75 }},
	{"p90", func(r *Row) any { return &r.P90 }},
	{"p99", func(r *Row) any { return &r.P99 }},
	{"sketch", func(r *Row) any { return &r.Sketch }},
	{"signup_unknown", func(r *Row) any { return &r.SignupUnknown }},
}

// Key returns the row's key in pql.metrics: metric, detail, unit, start, zone, grouping and group. Rows of one key are versions of
// one another.
func (r *Row) Key() string {
	return joinKey(r.Metric, r.Detail, r.Unit, strconv.FormatInt(r.WindowStart, 10), r.Zone, r.Grouping, r.Group)
}

// share says that of n accounts so many are counted.
func (r *Row) share(hits, n int64) {
	r.Numerator, r.Denominator = some(hits), some(n)
	r.Rate, r.Low, r.High = proportion(hits, n)
}

// against says what share a control group has, and how much more or less the row's own is.
func (r *Row) against(hits, n int64) {
	r.ControlNumerator, r.ControlDenominator = some(hits), some(n)
	r.ControlRate, _, _ = proportion(hits, n)
	if !r.Rate.Known || !r.ControlRate.Known {
		return
	}
	if hits > 0 {
		r.Lift = some(r.Rate.Value / r.ControlRate.Value)
	}
	r.Difference = some(r.Rate.Value - r.ControlRate.Value)
	low, high := newcombe(r.Numerator.Value, r.Denominator.Value, hits, n)
	r.DifferenceLow, r.DifferenceHigh = some(low), some(high)
}

// proportion is unknown where the numbers are none of a part and a whole: while not all that was taken back has come.
func proportion(hits, n int64) (rate, low, high Null[float64]) {
	if n <= 0 || hits < 0 || hits > n {
		return rate, low, high
	}
	l, h := wilson(hits, n)
	return some(float64(hits) / float64(n)), some(l), some(h)
}

// digest tells contents apart: of two rows with the same one no reader would see a difference but in Revision, Restated and AsOf.
func (r *Row) digest() uint64 {
	version := *r
	version.Revision, version.Restated, version.AsOf = 0, "", 0
	var buffer [1024]byte
	b := buffer[:0]
	for i := range Columns {
		switch v := Columns[i].Of(&version).(type) {
		case *string:
			b = appendText(b, *v)
		case *[]byte:
			b = append(appendUint(b, uint64(len(*v))), *v...)
		case *bool:
			b = strconv.AppendBool(b, *v)
		case *int64:
			b = appendInt(b, *v)
		case *Null[int64]:
			b = appendInt(strconv.AppendBool(b, v.Known), v.Value)
		case *Null[float64]:
			b = binary.LittleEndian.AppendUint64(strconv.AppendBool(b, v.Known), math.Float64bits(v.Value))
		}
	}
	return xxhash.Sum64(b)
}

// empty says whether there is nothing in the row to tell.
func (r *Row) empty() bool {
	for _, n := range [...]*Null[int64]{&r.Numerator, &r.Denominator, &r.ControlNumerator, &r.ControlDenominator, &r.Count, &r.SignupUnknown} {
		if n.Value != 0 {
			return false
		}
	}
	return true
}

// reasons of restatements, as bits: 1 << a Why.
type causes uint8

func (c causes) String() string {
	var all []string
	for w := Ordinary + 1; w < afterWhys; w++ {
		if c&(1<<w) != 0 {
			all = append(all, w.String())
		}
	}
	return strings.Join(all, ",")
}
