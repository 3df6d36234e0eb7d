package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// slot is one record of the chunk being folded.
type slot struct {
	route  Route
	reject *Reject
	entity *entity
}

// fold folds one chunk of records: decodes them, brings their entities into memory, and folds them under the lock.
func (t *task) fold(ctx context.Context, records []*kgo.Record) error {
	if err := t.room(ctx, len(records)); err != nil {
		return err
	}
	if err := t.decode(ctx, records); err != nil {
		return err
	}
	if err := t.load(ctx, records); err != nil {
		return err
	}
	if err := t.foldSlots(records); err != nil {
		return err
	}
	if err := t.fireDue(ctx); err != nil {
		return err
	}
	t.mu.Lock()
	t.table.tellAlong()
	t.mu.Unlock()
	return nil
}

// foldSlots folds the records that the slots hold.
func (t *task) foldSlots(records []*kgo.Record) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.readAt = time.Now()
	late, parked := t.table.late, t.table.parked
	for i, r := range records {
		s, before := &t.slots[i], t.table.eagerOutputs
		if err := t.table.fold(i, r, s.route, s.reject, s.entity); err != nil {
			// No commit may take the table as it is now: it has passed the record by.
			t.failure = fmt.Errorf("%w: folding offset %d: %w", errProcessing, r.Offset, err)
			return t.failure
		}
		if t.table.eagerOutputs > before && (t.table.since.IsZero() || r.Timestamp.Before(t.table.since)) {
			t.table.since = r.Timestamp
		}
	}
	t.r.stats.Records.Add(int64(len(records)))
	t.r.stats.Late.Add(t.table.late - late)
	t.r.stats.Rejected.Add(t.table.parked - parked)
	return nil
}

// errProcessing marks a fault of the processor: repeating it would repeat the fault.
var errProcessing = errors.New("the processor failed")

// decode fills the slots.
func (t *task) decode(ctx context.Context, records []*kgo.Record) (err error) {
	t.slots = t.slots[:0]
	for i, r := range records {
		var s slot
		if s.route, err = t.proc.Decode(i, r); err != nil {
			if s.route, s.reject, err = t.undecoded(ctx, i, r, err); err != nil {
				return err
			}
		}
		t.slots = append(t.slots, s)
	}
	return nil
}

// undecoded handles an error of Decode: what is wrong with the record is a reject; what passes by itself is waited for.
func (t *task) undecoded(ctx context.Context, i int, r *kgo.Record, err error) (route Route, reject *Reject, _ error) {
	for tries := 0; errors.Is(err, ErrRetry); tries++ {
		t.wait(err.Error())
		backOff(ctx, tries)
		if ctx.Err() != nil {
			return Route{}, nil, ctx.Err()
		}
		if route, err = t.proc.Decode(i, r); !errors.Is(err, ErrRetry) {
			t.wait("")
		}
	}
	if err == nil {
		return route, nil, nil
	}
	if reject, ok := errors.AsType[*Reject](err); ok {
		return Route{}, reject, nil
	}
	return Route{}, nil, fmt.Errorf("%w: decoding offset %d: %w", errProcessing, r.Offset, err)
}

// room waits until the cache, the next commit and the mirror's backlog have room for n more entities.
func (t *task) room(ctx context.Context, n int) error {
	for {
		limits := t.r.share()
		t.mu.Lock()
		ok := t.table.evict(max(limits.states-n, 0), limits.bytes) && !t.table.full(limits.dirty, limits.outputs) &&
			(t.mirror == nil || !t.mirror.full(unmirroredCommits, limits.unmirrored))
		// Half full is when to begin: folding goes on while the commit is made.
		hurry := !t.urgent && (!ok || t.table.full(limits.dirty.half(), limits.outputs.half()))
		t.urgent, t.crowded = t.urgent || hurry, !ok
		err := t.failure
		t.mu.Unlock()
		if hurry {
			signal(t.r.hurry)
		}
		if err != nil {
			return err
		}
		if ok {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.wake:
		case <-time.After(retryPause):
		}
	}
}

// load brings the entities of the slots into memory.
func (t *task) load(ctx context.Context, records []*kgo.Record) error {
	t.missing = t.missing[:0]
	t.mu.Lock()
	for i := range t.slots {
		s := &t.slots[i]
		if len(s.route.Key) == 0 || s.route.Ignore || s.reject != nil || records[i].Offset < t.table.now.next {
			continue
		}
		if s.entity = t.table.get(s.route.Key); s.entity != nil {
			continue
		}
		s.entity = t.table.put(string(s.route.Key))
		if t.table.mayExist(s.route.Key) {
			s.entity.loading = true
			t.missing = append(t.missing, s.entity.key)
		}
	}
	for i := range t.slots {
		if e := t.slots[i].entity; e != nil && e.state != nil {
			t.touched += e.state.Touch()
		}
	}
	t.mu.Unlock()
	return t.fetch(ctx)
}

// fetch loads the states of the missing entities from the mirror.
func (t *task) fetch(ctx context.Context) error {
	for rest := t.missing; len(rest) > 0; {
		keys := rest[:min(t.loads.atOnce(), len(rest))]
		rest = rest[len(keys):]
		var values [][]byte
		err := persist(ctx, t.trouble, func() (err error) {
			values, err = t.mirror.mirror.Load(ctx, t.mirror.position.Load(), keys)
			return err
		})
		if err != nil {
			return fmt.Errorf("loading %d states: %w", len(keys), err)
		}
		t.loads.learn(values)
		t.mu.Lock()
		for i, key := range keys {
			if err := t.table.fill(key, values[i]); err != nil {
				t.mu.Unlock()
				return fmt.Errorf("%w: %w", errProcessing, err)
			}
		}
		t.mu.Unlock()
		t.r.stats.Loaded.Add(int64(len(keys)))
	}
	return nil
}
