package stream

import (
	"container/heap"
	"fmt"
	"math"
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

// fire fires every timer that the watermark has passed, before the record at an offset is folded.
func (t *table) fire(offset int64) error {
	watermark := t.watermark(t.now.eventTime)
	for t.timers.next() <= watermark {
		hint := heap.Pop(&t.timers).(timer)
		e := t.entities[hint.key]
		if e == nil || e.timer != hint.due || e.state == nil {
			continue // outdated: the timer was set anew or fired
		}
		t.now.next = max(t.now.next, offset)
		e.timer = 0
		if err := t.run(nil, e, func(turn *Turn) error { return t.timed.Fire(turn, hint.due) }); err != nil {
			return fmt.Errorf("firing the timer of %q: %w", e.key, err)
		}
		e.applied = max(e.applied, offset)
		if e.timer == hint.due || !t.turn.changed {
			return fmt.Errorf("the timer of %q that was due at %d is still set after it has fired", e.key, hint.due)
		}
	}
	return nil
}

// dueUncached returns the keys of entities outside memory whose timers a watermark passes.
func (t *table) dueUncached(watermark int64) (keys []string) {
	for _, hint := range t.timers {
		if hint.due <= watermark && t.entities[hint.key] == nil {
			keys = append(keys, hint.key)
		}
	}
	return keys
}
