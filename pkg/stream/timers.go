package stream

import (
	"container/heap"
	"fmt"
	"math"
	"slices"
	"sort"
)

// timer is a hint that an entity's timer is due: its state decides.
type timer struct {
	due int64
	key string
}

// timerQueue holds timers, the earliest first and those of one moment by key, so that a replay fires them in the same
// order.
type timerQueue []timer

func (q timerQueue) Len() int { return len(q) }
func (q timerQueue) Less(i, j int) bool {
	return q[i].due < q[j].due || q[i].due == q[j].due && q[i].key < q[j].key
}
func (q timerQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *timerQueue) Push(x any)   { *q = append(*q, x.(timer)) }
func (q *timerQueue) Pop() any {
	last := len(*q) - 1
	x := (*q)[last]
	*q = (*q)[:last]
	return x
}

func (q *timerQueue) push(t timer) { heap.Push(q, t) }

// next is when the earliest timer is due.
func (q timerQueue) next() int64 {
	if len(q) == 0 {
		return math.MaxInt64
	}
	return q[0].due
}

// fire fires an entity's timers that the watermark has passed, before the record at an offset is folded.
func (t *table) fire(e *entity, offset int64) error {
	watermark := t.watermark(t.now.eventTime)
	for e.state != nil && e.timer != 0 && e.timer <= watermark {
		due := e.timer
		t.now.next = max(t.now.next, offset)
		e.timer = 0
		if err := t.run(nil, e, func(turn *Turn) error { return t.timed.Fire(turn, due) }); err != nil {
			return fmt.Errorf("firing the timer of %q: %w", e.key, err)
		}
		if e.state == nil {
			return nil // deleted
		}
		e.applied = max(e.applied, offset)
		if e.timer != 0 && e.timer <= due || !t.turn.changed {
			return fmt.Errorf("the timer of %q that was due at %d is still set after it has fired", e.key, due)
		}
	}
	return nil
}

// putBack puts hints on the queue again of entities whose timers have not fired.
func (t *table) putBack(due []*entity) {
	for _, e := range due {
		if e.timer != 0 {
			t.timers.push(timer{e.timer, e.key})
		}
	}
}

// takeDue takes hints off the queue up to a moment, at most so many. It returns the entities that they name in the queue's
// order: those in memory whose timers they are, and those outside, which are to be loaded.
func (t *table) takeDue(before int64, limit int) (due []*entity, missing []string) {
	for len(due) < limit && t.timers.next() <= before {
		hint := heap.Pop(&t.timers).(timer)
		e := t.entities[hint.key]
		if e == nil {
			e = t.put(hint.key)
			e.loading = true
			missing = append(missing, hint.key)
		} else if e.timer != hint.due {
			continue // outdated: the timer was set anew or fired
		}
		due = append(due, e)
	}
	return due, missing
}

// prune drops the hints that are outdated once they are most of the queue. Of entities outside memory the mirror has those
// beyond the horizon up to which it was asked.
func (t *table) prune(horizon int64) {
	if len(t.timers) <= 2*max(len(t.entities), t.pruned)+hintsKept {
		return
	}
	t.timers = slices.DeleteFunc(t.timers, func(hint timer) bool {
		if e := t.entities[hint.key]; e != nil {
			return e.timer != hint.due && !e.loading
		}
		return hint.due > horizon
	})
	sort.Sort(t.timers)                 // which is a heap, too
	t.timers = slices.Compact(t.timers) // an entity that was evicted and loaded again has given its hint each time
	t.pruned = len(t.timers)
}

// hintsKept is how many hints are too few to look for outdated ones.
const hintsKept = 4096
