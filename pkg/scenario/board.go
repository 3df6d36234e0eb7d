package scenario

import (
	"fmt"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/checklist"
	"github.com/pqlstream/pqlstream/pkg/rollup"
)

// board is what becomes of a run's facts in metrics. It does what measure and rollup do with one another in package pipeline, with a
// checkpoint after all that happens.
type board struct {
	*metrics
	measure     *rollup.Measure
	histories   map[string]*rollup.History // of accounts
	directories map[string]*rollup.Directory
	counted     map[string]counted
	watermark   int64 // ms since the Unix epoch
	soonest     int64 // no timer is due before
	fact        rollup.Fact
	rows        map[string]*rollup.Row // the newest version of those that lines look at; nil: there is none yet
}

// counted is what the series and the windows of groups have in common.
type counted interface {
	Apply(changes []rollup.Change, watermark int64) (missed int64)
	Pass(watermark int64) bool
	NextTimer() int64
	Expired() bool
	Rows(emit func(*rollup.Row))
}

// board returns that of a scenario; nil: it looks at no row.
func (f *File) board(s *Scenario) (*board, error) {
	b := &board{
		metrics: f.metrics, histories: map[string]*rollup.History{}, directories: map[string]*rollup.Directory{},
		counted: map[string]counted{}, soonest: never, rows: map[string]*rollup.Row{},
	}
	for _, st := range s.statements {
		if st.kind == rowIs {
			b.rows[st.row] = nil
		}
	}
	if len(b.rows) == 0 {
		return nil, nil
	}
	var err error
	b.measure, err = rollup.NewMeasure(&f.metrics.settings)
	return b, err
}

// tell takes in facts that were decided by a checklist.
func (b *board) tell(facts []account.Fact, list *checklist.Checklist) {
	for i := range facts {
		id := facts[i].AccountID
		h := b.histories[id]
		if h == nil {
			h = &rollup.History{}
			b.histories[id] = h
		}
		b.fact.Read(&facts[i], list.Properties())
		b.measure.Fold(h, &b.fact)
	}
}

// advance lets time pass to a watermark, and counts what has been told.
func (b *board) advance(watermark int64) error {
	b.watermark = max(b.watermark, watermark)
	if b.soonest <= b.watermark {
		b.soonest = never
		for key, c := range b.counted {
			b.pass(key, c)
		}
	}
	if b.measure.Gathered() == 0 {
		return nil
	}
	var err error
	changed := map[string]counted{}
	b.measure.Flush(func(grouping string, batch []byte) {
		if err == nil {
			err = b.count(grouping, batch, changed)
		}
	})
	for key, c := range changed {
		c.Rows(b.take)
		b.pass(key, c)
	}
	for _, d := range b.directories {
		d.Rows(b.take)
	}
	return err
}

// pass lets time pass for a series or a window that waits for it.
func (b *board) pass(key string, c counted) {
	if at := c.NextTimer(); at != 0 && at <= b.watermark {
		c.Pass(b.watermark)
		c.Rows(b.take)
		if c.Expired() {
			delete(b.counted, key)
			return
		}
	}
	if at := c.NextTimer(); at != 0 {
		b.soonest = min(b.soonest, at)
	}
}

// count adds up what a batch of a grouping tells.
func (b *board) count(grouping string, batch []byte, changed map[string]counted) error {
	deltas, err := rollup.DecodeBatch(nil, batch)
	if err != nil {
		return fmt.Errorf("reading what accounts contribute: %w", err)
	}
	d := b.directories[grouping]
	if d == nil {
		if d, err = b.rollup.Directory(rollup.DirectoryKey(grouping), nil); err != nil {
			return err
		}
		b.directories[grouping] = d
	}
	parcels, _ := d.Take(deltas, b.watermark)
	for i := range parcels {
		p := &parcels[i]
		c, err := b.open(p.Key)
		if err != nil {
			return err
		}
		changed[p.Key] = c
		if missed := c.Apply(p.Changes, b.watermark); missed > 0 {
			if err := d.Miss(p.Key, missed, b.watermark); err != nil {
				return err
			}
		}
	}
	return nil
}

// open returns what counts for a key.
func (b *board) open(key string) (c counted, err error) {
	if c = b.counted[key]; c != nil {
		return c, nil
	}
	if rollup.KindOf(key) == rollup.SeriesEntity {
		c, err = b.rollup.Series(key, nil)
	} else {
		c, err = b.rollup.Span(key, nil)
	}
	if err == nil {
		b.counted[key] = c
	}
	return c, err
}

// take keeps a row that some line looks at.
func (b *board) take(r *rollup.Row) {
	if _, is := b.rows[r.Key()]; is {
		row := *r
		b.rows[r.Key()] = &row
	}
}
