package redisstate

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/pqlstream/pqlstream/pkg/state"
)

// attempts is how often a step is tried before its caller hears of an error that may pass: a connection may have been
// lost, or something watched been touched.
const attempts = 4

// step is a compare-and-set of the position.
type step struct {
	ready      string // 1: of the mirror; 0: of building it
	generation string // empty: whichever there is
	from, to   int64
}

// Apply implements state.Mirror.
func (m *mirror) Apply(ctx context.Context, c state.Chunk) error {
	const doing = "applying a chunk to"
	if err := state.CheckEntries(c.Entries, m.store.lists); err != nil {
		return fmt.Errorf("%s %s: %w", doing, m.name, err)
	}
	return m.advance(ctx, doing, step{ready: "1", from: c.From, to: c.To}, c.Entries)
}

// advance does a step. Meta is watched, everything that the step touches is checked, then written to in a transaction,
// which does nothing where meta has changed since: every step, claim and rebuild, whoever does it, changes meta. The watch
// belongs to the connection. So a transaction that arrives late, or after its reply was lost and the step was done again,
// does nothing either.
//
// Buckets and timers are not watched, which would take the server the square of their number. One that is lost between
// check and transaction is as if it were lost just after: what is written makes it anew, but without its sentinel.
func (m *mirror) advance(ctx context.Context, doing string, s step, entries []state.Entry) error {
	m.writer.arrange(m, entries)
	defer m.writer.release()
	var err error
	for range attempts {
		done := false
		err = m.store.client.Watch(ctx, func(tx *redis.Tx) error {
			err := m.try(ctx, tx, s, entries)
			done = err == nil
			return err
		}, m.meta)
		if err == nil && done {
			return nil
		}
		if err == nil {
			// The cluster client calls it success when it has been sent from node to node too often.
			err = errors.New("its slot is being moved")
		}
		if ctx.Err() != nil || lasting(err) {
			break
		}
	}
	return fmt.Errorf("%s %s: %w", doing, m.name, err)
}

// lasting says whether an error is one that an owner has to act on.
func lasting(err error) bool {
	return errors.Is(err, state.ErrMismatch) || errors.Is(err, state.ErrFenced) || errors.Is(err, state.ErrForeign)
}

// try checks and writes, on a connection that watches.
func (m *mirror) try(ctx context.Context, tx *redis.Tx, s step, entries []state.Entry) error {
	reply, err := m.runOn(ctx, tx, checkScript, m.writer.keys, []any{s.ready, s.generation, s.from, s.to, 1 + m.writer.lists})
	if err != nil || reply[0] == nil {
		return err
	}
	// Where there is nothing, nothing is to be removed.
	some := func(set int) bool { return 1+set >= len(reply) || reply[1+set] != int64(0) }
	_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error {
		w := pipe{ctx: ctx, to: p, args: m.writer.args[:0]}
		for _, bucket := range m.writer.touched {
			w.states(&m.writer.chains, m.names[bucket], bucket, entries)
		}
		w.timers(&m.writer.chains, m.timers, entries, some(0))
		for i := range m.writer.lists {
			w.list(&m.writer.chains, m.lists[i], m.store.lists[i], entries, some(1+i))
		}
		w.add("hset", m.meta, "token", m.token, "position", s.to, "updated", reply[0])
		m.writer.args = w.args
		return w.err
	})
	return err
}

// writer holds what one step after the other is made of, so that each needs little memory of its own. Steps are for one
// goroutine.
type writer struct {
	chains
	keys  []string // that the step touches: meta, timers, lists, buckets
	lists int      // how many lists the step touches: all or none
	args  []any
}

func (w *writer) arrange(m *mirror, entries []state.Entry) {
	m.store.chainEntries(&w.chains, entries)
	w.keys, w.lists = append(w.keys[:0], m.meta, m.timers), 0
	if w.relists {
		w.lists = len(m.lists)
		w.keys = append(w.keys, m.lists...)
	}
	for _, bucket := range w.touched {
		w.keys = append(w.keys, m.buckets[bucket])
	}
	// A command has a name and a key; meta's has six arguments more.
	w.args = slices.Grow(w.args[:0], 4*len(entries)+4*len(w.touched)+12)
}

// release lets go of the entries.
func (w *writer) release() { clear(w.args[:cap(w.args)]) }

// pipe adds commands to a transaction. Their arguments lie in one slice. They point to keys, states and timers, since
// pointers become arguments without memory of their own.
type pipe struct {
	ctx  context.Context
	to   redis.Pipeliner
	args []any
	err  error
}

// states sets and removes the states of a bucket.
func (w *pipe) states(c *chains, name any, bucket int, entries []state.Entry) {
	set := w.begin("hset", name)
	for i := c.head[bucket]; i != 0; i = c.next[i-1] {
		if e := &entries[i-1]; e.Value != nil {
			w.args = append(w.args, &e.Key, (*value)(&e.Value))
		}
	}
	w.end(set)
	removed := w.begin("hdel", name)
	for i := c.head[bucket]; i != 0; i = c.next[i-1] {
		if e := &entries[i-1]; e.Value == nil {
			w.args = append(w.args, &e.Key)
		}
	}
	w.end(removed)
}

// timers sets and removes timers. Unless there are some, nothing is to be removed.
func (w *pipe) timers(c *chains, key string, entries []state.Entry, some bool) {
	each := func(name string, wanted bool, add func(*state.Entry)) {
		first := w.begin(name, key)
		for _, bucket := range c.touched {
			for i := c.head[bucket]; i != 0; i = c.next[i-1] {
				if e := &entries[i-1]; wanted == (e.Value != nil && e.Timer != 0) {
					add(e)
				}
			}
		}
		w.end(first)
	}
	each("zadd", true, func(e *state.Entry) { w.args = append(w.args, &e.Timer, &e.Key) })
	if some {
		each("zrem", false, func(e *state.Entry) { w.args = append(w.args, &e.Key) })
	}
}

// begin starts a command, end adds it unless it has nothing to do.
func (w *pipe) begin(name string, key any) (first int) {
	w.args = append(w.args, name, key)
	return len(w.args) - 2
}

func (w *pipe) end(first int) {
	if len(w.args) == first+2 {
		w.args = w.args[:first]
		return
	}
	w.process(w.args[first:len(w.args):len(w.args)])
}

func (w *pipe) add(args ...any) { w.process(args) }

func (w *pipe) process(args []any) {
	if err := w.to.Process(w.ctx, redis.NewIntCmd(w.ctx, args...)); err != nil {
		w.err = errors.Join(w.err, err)
	}
}

// value is a state as an argument.
type value []byte

// MarshalBinary implements encoding.BinaryMarshaler, by which the client asks for what to send.
func (v *value) MarshalBinary() ([]byte, error) { return *v, nil }
