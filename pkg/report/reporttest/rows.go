// Package reporttest makes rows of metrics as a deployment has them, for tests of what reads them.
package reporttest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/pqlstream/pqlstream/pkg/rollup"
)

// AsOf is the watermark that the rows were made at.
var AsOf = time.Date(2025, 6, 24, 21, 6, 0, 0, time.UTC)

const (
	weeks    = 20
	accounts = 700
	hour     = int64(time.Hour / time.Millisecond)
	day      = 24 * hour
)

// Rows returns all rows of 700 accounts that signed up in the 20 weeks before AsOf: in days, weeks and months of two time zones, of
// all accounts and by tier. They are the same each time.
func Rows() ([]rollup.Row, error) {
	settings := &rollup.Settings{Groupings: [][]string{{}, {"tier"}}, CohortDays: []int{7, 14, 30}, PaidDays: []int{7, 30, 60, 90}}
	for _, zone := range []string{"UTC", "Europe/Berlin"} {
		for _, unit := range []rollup.Unit{rollup.Day, rollup.Week, rollup.Month} {
			w, err := rollup.NewWindows(zone, unit, time.Monday)
			if err != nil {
				return nil, err
			}
			settings.Windows = append(settings.Windows, w)
		}
	}
	b, err := newBoard(settings)
	if err != nil {
		return nil, err
	}
	random := rand.New(rand.NewPCG(7, 7))
	for i := range accounts {
		b.fold(life(random, i))
	}
	late := rollup.Fact{Type: "qualified", Tier: "large", OccurredAt: AsOf.UnixMilli() - 40*day, SignedUpAt: AsOf.UnixMilli() - 41*day, Late: true}
	if err := b.pass(AsOf.UnixMilli() - 5*hour); err != nil {
		return nil, err
	}
	b.fold([]rollup.Fact{late})
	if err := b.pass(AsOf.UnixMilli()); err != nil {
		return nil, err
	}
	return b.sorted(), nil
}

// life makes up what happens to an account.
func life(random *rand.Rand, i int) []rollup.Fact {
	end := AsOf.UnixMilli()
	signedUp := end - random.Int64N(weeks*7*day)
	f := rollup.Fact{Tier: []string{"small", "small", "medium", "large"}[random.IntN(4)], Checklist: 1, HoldOut: i%10 == 0, SignedUpAt: signedUp}
	if i%40 == 0 {
		f.SignedUpAt = 0
	}
	at := signedUp
	var facts []rollup.Fact
	put := func(kind string, change func(*rollup.Fact)) {
		f.Type, f.OccurredAt, f.Reason, f.Step = kind, at, "", ""
		change(&f)
		if at <= end {
			facts = append(facts, f)
		}
	}
	steps := random.IntN(5)
	put("signed_up", func(*rollup.Fact) {})
	for n := range steps {
		at += hour + random.Int64N(4*day)
		put("step_done", func(f *rollup.Fact) { f.Step, f.Rate = fmt.Sprint("step-", n+1), float64(n+1)/4 })
	}
	if steps < 3 {
		return facts
	}
	put("qualified", func(*rollup.Fact) {})
	switch random.IntN(5) {
	case 0, 1:
		at += random.Int64N(50 * day)
		put("converted", func(*rollup.Fact) {})
	case 2:
		at += 14*day + random.Int64N(10*day)
		put("disqualified", func(f *rollup.Fact) { f.Reason = "inactive" })
		at += random.Int64N(20 * day)
		put("requalified", func(*rollup.Fact) {})
	case 3:
		at += random.Int64N(3 * day)
		put([]string{"sales_accepted", "sales_rejected"}[random.IntN(2)], func(*rollup.Fact) {})
	}
	return facts
}

// board is all of the rollup in one place.
type board struct {
	measure     *rollup.Measure
	rollup      *rollup.Rollup
	directories map[string]*rollup.Directory
	series      map[string]*rollup.Series
	spans       map[string]*rollup.Span
	rows        map[string]rollup.Row
}

func newBoard(s *rollup.Settings) (*board, error) {
	m, err := rollup.NewMeasure(s)
	if err != nil {
		return nil, err
	}
	r, err := rollup.NewRollup(s, rollup.DefaultLimits())
	return &board{m, r, map[string]*rollup.Directory{}, map[string]*rollup.Series{}, map[string]*rollup.Span{}, map[string]rollup.Row{}}, err
}

func (b *board) fold(facts []rollup.Fact) {
	var h rollup.History
	for i := range facts {
		b.measure.Fold(&h, &facts[i])
	}
}

// pass takes in what was folded, and has time pass.
func (b *board) pass(watermark int64) (err error) {
	b.measure.Flush(func(grouping string, batch []byte) {
		if err == nil {
			err = b.take(grouping, batch, watermark)
		}
	})
	put := func(r *rollup.Row) {
		row := *r
		row.Sketch = slices.Clone(r.Sketch)
		b.rows[r.Key()] = row
	}
	for _, d := range b.directories {
		d.Rows(put)
	}
	for _, s := range b.series {
		s.Pass(watermark)
		s.Rows(put)
	}
	for _, s := range b.spans {
		s.Pass(watermark)
		s.Rows(put)
	}
	return err
}

func (b *board) take(grouping string, batch []byte, watermark int64) error {
	deltas, err := rollup.DecodeBatch(nil, batch)
	if err != nil {
		return err
	}
	if b.directories[grouping] == nil {
		if b.directories[grouping], err = b.rollup.Directory(rollup.DirectoryKey(grouping), nil); err != nil {
			return err
		}
	}
	parcels, _ := b.directories[grouping].Take(deltas, watermark)
	for _, p := range parcels {
		if rollup.KindOf(p.Key) == rollup.SeriesEntity {
			if b.series[p.Key] == nil {
				if b.series[p.Key], err = b.rollup.Series(p.Key, nil); err != nil {
					return err
				}
			}
			b.series[p.Key].Apply(p.Changes, watermark)
			continue
		}
		if b.spans[p.Key] == nil {
			if b.spans[p.Key], err = b.rollup.Span(p.Key, nil); err != nil {
				return err
			}
		}
		b.spans[p.Key].Apply(p.Changes, watermark)
	}
	return nil
}

func (b *board) sorted() []rollup.Row {
	keys := make([]string, 0, len(b.rows))
	for key := range b.rows {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	rows := make([]rollup.Row, len(keys))
	for i, key := range keys {
		rows[i] = b.rows[key]
	}
	return rows
}
