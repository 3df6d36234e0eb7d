package stream

import (
	"context"
	"fmt"
	"time"

	"github.com/pqlstream/pqlstream/pkg/state"
)

// fireDue fires the timers that the watermark has passed, in the order in which they are due. One record can move time by
// days, and a takeover may find any number due: they go by slices, between which what has changed is committed and evicted
// as usual. That is as exact as firing all at once: an entity's own timers fire before its next record in any case, those
// of others are independent of it, and what a crash leaves unfired is still due.
func (t *task) fireDue(ctx context.Context) error {
	if t.table.timed == nil {
		return nil
	}
	for {
		t.mu.Lock()
		watermark := t.table.watermark(t.table.now.eventTime)
		t.table.prune(t.horizon)
		t.mu.Unlock()
		known := watermark
		if t.mirror != nil {
			if err := t.askForHints(ctx, watermark); err != nil {
				return err
			}
			known = min(watermark, t.horizon)
		}
		fired, err := t.fireSlice(ctx, known)
		if err != nil {
			return err
		}
		if fired == 0 && known == watermark {
			t.mu.Lock()
			t.table.fired = watermark
			t.mu.Unlock()
			return nil
		}
	}
}

// fireSlice fires some of the timers that are due up to a moment, and returns of how many entities.
func (t *task) fireSlice(ctx context.Context, before int64) (int, error) {
	t.mu.Lock()
	none := t.table.timers.next() > before
	t.mu.Unlock()
	if none {
		return 0, nil
	}
	n := min(t.dueAtOnce, t.loads.inMemory(t.r.share().bytes))
	if err := t.room(ctx, n); err != nil {
		return 0, err
	}
	t.mu.Lock()
	due, missing := t.table.takeDue(before, n)
	t.missing = append(t.missing[:0], missing...)
	t.mu.Unlock()
	if err := t.fetch(ctx); err != nil {
		return 0, err
	}
	outputs := t.r.share().outputs
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, e := range due {
		if t.table.outputsFull(outputs) { // a few timers may make as much as all others
			t.table.putBack(due[i:])
			return i + 1, nil
		}
		if err := t.table.fire(e, t.table.now.next); err != nil {
			t.failure = fmt.Errorf("%w: %w", errProcessing, err)
			return 0, t.failure
		}
	}
	return max(len(due), 1), nil // hints that were all outdated are progress, too
}

// askForHints takes the mirror's timers into the queue, until it holds all up to a moment or has some to go on with.
func (t *task) askForHints(ctx context.Context, watermark int64) error {
	for limit := t.dueAtOnce; t.horizon < watermark; {
		t.mu.Lock()
		enough := t.table.timers.next() <= t.horizon
		t.mu.Unlock()
		if enough {
			return nil
		}
		// Further ahead than needed, so that not every chunk asks.
		before := watermark + time.Hour.Milliseconds()
		due, err := t.hints(ctx, before, limit)
		if err != nil {
			return err
		}
		if len(due) == limit {
			before, due = completeHints(due)
		}
		if before <= t.horizon { // all are due at one moment, and there may be more of them
			limit *= 2
			continue
		}
		t.takeHints(due, before)
	}
	return nil
}

// completeHints leaves out those of the last moment, of which there may be more, and returns the moment before.
func completeHints(due []state.Entry) (before int64, complete []state.Entry) {
	n, last := len(due), due[len(due)-1].Timer
	for n > 0 && due[n-1].Timer == last {
		n--
	}
	return last - 1, due[:n]
}

func (t *task) hints(ctx context.Context, before int64, limit int) (due []state.Entry, err error) {
	err = persist(ctx, t.trouble, func() (err error) {
		due, err = t.mirror.mirror.Due(ctx, t.mirror.position.Load(), t.horizon, before, limit)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("asking for due timers: %w", err)
	}
	return due, nil
}

// takeHints takes hints into the queue, which then holds all up to a moment.
func (t *task) takeHints(due []state.Entry, before int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, d := range due {
		if t.table.entities[d.Key] == nil {
			t.table.timers.push(timer{d.Timer, d.Key})
		}
	}
	t.horizon = before
}
