package rollup

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// board is the window's side as a stage would run it, with all rows that it has emitted.
type board struct {
	t         testing.TB
	rollup    *Rollup
	watermark int64
	grouping  string
	directory *Directory
	series    map[string]*Series
	spans     map[string]*Span
	rows      map[string]Row // the newest of each key
	emitted   int
	lost      int64
}

func newRollup(t testing.TB, limits Limits, groupings [][]string, zones ...string) *Rollup {
	t.Helper()
	s := &Settings{Groupings: groupings, CohortDays: []int{7, 14, 30}, PaidDays: []int{7, 30, 60, 90}}
	for _, zone := range zones {
		for _, unit := range allUnits {
			s.Windows = append(s.Windows, newWindows(t, zone, unit, time.Monday))
		}
	}
	r, err := NewRollup(s, limits)
	require.NoError(t, err)
	return r
}

func newBoard(t testing.TB, r *Rollup, grouping string) *board {
	d, err := r.Directory(DirectoryKey(grouping), nil)
	require.NoError(t, err)
	return &board{t: t, rollup: r, grouping: grouping, directory: d, series: map[string]*Series{}, spans: map[string]*Span{}, rows: map[string]Row{}}
}

// feed hands a batch on, through all encodings on its way.
func (b *board) feed(deltas ...Delta) {
	b.t.Helper()
	decoded, err := DecodeBatch(nil, AppendBatch(nil, sumDeltas(deltas)))
	require.NoError(b.t, err)
	parcels, _ := b.directory.Take(decoded, b.watermark)
	for _, p := range parcels {
		changes, err := DecodeChanges(nil, AppendChanges(nil, p.Changes))
		require.NoError(b.t, err)
		require.Equal(b.t, p.Changes, changes)
		switch KindOf(p.Key) {
		case SeriesEntity:
			if b.series[p.Key] == nil {
				b.series[p.Key], err = b.rollup.Series(p.Key, nil)
				require.NoError(b.t, err)
			}
			b.lost += b.series[p.Key].Apply(changes, b.watermark)
		case WindowEntity:
			if b.spans[p.Key] == nil {
				b.spans[p.Key], err = b.rollup.Span(p.Key, nil)
				require.NoError(b.t, err)
			}
			b.lost += b.spans[p.Key].Apply(changes, b.watermark)
		default:
			b.t.Fatalf("a parcel for %q", p.Key)
		}
	}
}

func sumDeltas(deltas []Delta) []Delta {
	all := slices.Clone(deltas)
	slices.SortFunc(all, func(a, b Delta) int { return a.compare(&b) })
	var sums []Delta
	for _, d := range all {
		if n := len(sums); n > 0 && sums[n-1].compare(&d) == 0 {
			sums[n-1].N += d.N
		} else {
			sums = append(sums, d)
		}
	}
	return slices.DeleteFunc(sums, func(d Delta) bool { return d.N == 0 })
}

// pass lets time go on, and fires the timers that are due, no others.
func (b *board) pass(watermark int64) {
	b.watermark = max(b.watermark, watermark)
	for key, s := range b.series {
		if due := s.NextTimer(); due != 0 && due <= b.watermark {
			if s.Expired() {
				delete(b.series, key)
				continue
			}
			require.True(b.t, s.Pass(b.watermark))
			require.Greater(b.t, s.NextTimer(), b.watermark, "%s: a timer goes on", key)
		}
	}
	for key, s := range b.spans {
		if due := s.NextTimer(); due <= b.watermark {
			s.Pass(b.watermark)
			if s.Expired() {
				s.Rows(b.take)
				delete(b.spans, key)
				continue
			}
			require.Greater(b.t, s.NextTimer(), b.watermark, "%s: a timer goes on", key)
		}
	}
}

// flush takes in the rows that have changed, in any order of the entities.
func (b *board) flush() {
	b.directory.Rows(b.take)
	for _, s := range b.series {
		s.Rows(b.take)
	}
	for _, s := range b.spans {
		s.Rows(b.take)
	}
	before := b.emitted
	for _, s := range b.series {
		s.Rows(b.take)
	}
	for _, s := range b.spans {
		s.Rows(b.take)
	}
	b.directory.Rows(b.take)
	require.Equal(b.t, before, b.emitted, "nothing has changed since")
}

func (b *board) take(r *Row) {
	before, had := b.rows[r.Key()]
	if had && (r.Revision <= before.Revision || r.AsOf < before.AsOf || before.digest() == r.digest()) || r.AsOf > b.watermark {
		require.Fail(b.t, "no newer version", "%+v after %+v", *r, before)
	}
	b.rows[r.Key()] = *r
	b.emitted++
}

// reload replaces states by what is loaded from their encodings, as after a takeover.
func (b *board) reload() {
	encoded := func(s interface{ AppendBinary([]byte) ([]byte, error) }) []byte {
		value, err := s.AppendBinary(nil)
		require.NoError(b.t, err)
		return value
	}
	var err error
	key := DirectoryKey(b.grouping)
	before := encoded(b.directory)
	b.directory, err = b.rollup.Directory(key, before)
	require.NoError(b.t, err)
	require.Equal(b.t, before, encoded(b.directory))
	for key, s := range b.series {
		before := encoded(s)
		b.series[key], err = b.rollup.Series(key, before)
		require.NoError(b.t, err)
		require.Equal(b.t, before, encoded(b.series[key]))
		require.Equal(b.t, s.NextTimer(), b.series[key].NextTimer())
	}
	for key, s := range b.spans {
		before := encoded(s)
		b.spans[key], err = b.rollup.Span(key, before)
		require.NoError(b.t, err)
		require.Equal(b.t, before, encoded(b.spans[key]))
		require.Equal(b.t, s.NextTimer(), b.spans[key].NextTimer())
	}
}

// final returns the rows without what the order of arrival may decide, and without those that say nothing.
func (b *board) final() map[string]Row {
	all := map[string]Row{}
	for key, r := range b.rows {
		r.Revision, r.Restated, r.AsOf = 0, "", 0
		says := !r.empty()
		switch r.Metric {
		case MetricPQLs:
			says = r.CurrentStart.Value != 0 || r.Inflow.Value != 0 || r.Outflow.Value != 0
		case MetricActivation, MetricFunnel:
			says = r.Numerator.Value != 0
		case MetricHoldOut:
			says = r.ControlNumerator.Value != 0 || r.ControlDenominator.Value != 0
		}
		if says {
			all[key] = r
		}
	}
	return all
}

// requireIdentities checks what holds in and between the rows of PQLs.
func (b *board) requireIdentities() {
	series := map[[4]string][]Row{}
	for _, r := range b.rows {
		if r.Metric == MetricPQLs {
			series[[4]string{r.Unit, r.Zone, r.Grouping, r.Group}] = append(series[[4]string{r.Unit, r.Zone, r.Grouping, r.Group}], r)
		}
	}
	for of, rows := range series {
		slices.SortFunc(rows, func(a, b Row) int { return int(a.WindowStart - b.WindowStart) })
		for i, r := range rows {
			whole := [4]int64{r.CurrentEnd.Value, r.Raw.Value, r.Inflow.Value, r.Outflow.Value}
			sums := [4]int64{
				r.CurrentStart.Value + r.Inflow.Value - r.Outflow.Value, r.First.Value + r.Repeated.Value,
				r.InQualified.Value + r.InRequalified.Value + r.InSegment.Value,
				r.OutInactive.Value + r.OutTrialEnded.Value + r.OutStepUndone.Value + r.OutExcluded.Value + r.OutTierChanged.Value +
					r.OutSegment.Value + r.OutDefinition.Value + r.OutConverted.Value + r.OutOther.Value,
			}
			if whole != sums {
				require.Equal(b.t, whole, sums, r.Key())
			}
			if i > 0 && (rows[i-1].WindowEnd != r.WindowStart || rows[i-1].CurrentEnd != r.CurrentStart) {
				require.Fail(b.t, "a row does not go on where the one before ends", "%v at %d", of, r.WindowStart)
			}
		}
	}
}

// randomContributions are what accounts contribute over some days from a moment on, and take back in part.
func randomContributions(r *rand.Rand, from int64, days, n int, groups [][]string) []Delta {
	var all []Delta
	put := func(d Delta) {
		all = append(all, d)
		switch r.IntN(8) {
		case 0: // taken back
			d.N, d.Why = -d.N, Why(r.IntN(int(afterWhys)))
			all = append(all, d)
		case 1: // moved
			d.N, d.Why = -d.N, ByMerge
			all = append(all, d)
			d.N, d.Values = -d.N, groups[r.IntN(len(groups))]
			all = append(all, d)
		}
	}
	names := map[Named][]string{NoName: {""}, Entry: entries[:], Exit: append(exits[:len(exits):len(exits)], "unknown"), Saying: sayings[:], StepID: {"a", "b", "c"}}
	for range n {
		d := Delta{Values: groups[r.IntN(len(groups))], At: SlotOf(from + r.Int64N(int64(days)*dayMillis)), N: 1, Why: Why(r.IntN(2))}
		if r.IntN(10) == 0 {
			unit := allUnits[r.IntN(len(allUnits))]
			d.At = Target{d.At.Start, unit, "Europe/Berlin"}
		}
		kind := Kinds()[r.IntN(len(Kinds()))]
		if r.IntN(3) == 0 {
			kind = []Kind{In, In, Out}[r.IntN(3)]
		}
		if kind.sums() {
			kind--
		}
		d.Cell = Cell{Kind: kind, Name: names[kind.Named()][r.IntN(len(names[kind.Named()]))]}
		switch kind.Numbered() {
		case Days:
			d.Cell.Number = []int32{7, 14, 30, 60, 90}[r.IntN(5)]
		case Tenths:
			d.Cell.Number = int32(r.IntN(11))
		case Bin:
			took := int64(r.IntN(int(20 * dayMillis)))
			d.Cell.Number = BinOf(took)
			sum := d
			sum.Cell.Kind, sum.Cell.Number, sum.N = kind+1, 0, took
			put(sum)
		}
		put(d)
	}
	return all
}
