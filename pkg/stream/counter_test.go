package stream

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// counter is the processor of this package's tests: it counts the records of each key and publishes every third, every sixth lazily. Its
// states hold a digest of the watermarks that every fold saw, so that a fold that saw another one shows.
// A record's value is "event time" or "event time,command" or "event time,command,anything".
//
//	bad      can't be decoded        reject   is refused when it is folded
//	big      makes the state larger than any record may be
//	pad      makes the state larger by the record's size
//	timer    sets a timer 100 ms on  unowned  publishes without an entity
//	ignore   does nothing but move the time
//	stub     makes the state one that goes when its timer fires, 50 ms on; one of an odd count says so
//	erase    makes the state go at once
type counter struct {
	every int
	shift int64             // of the scores on a list
	limit int64             // bytes that a state may take; 0: the runtime's default
	gate  func(*kgo.Record) // called with each record that is decoded; nil: nothing
	slots []counterRecord
}

type counterRecord struct {
	time    int64
	command string
}

type count struct {
	incarnation int64
	n           int64
	due         int64
	digest      int64 // of the watermarks seen
	padding     int64
	stub        int64 // 1: it goes when its timer fires
	told        int64 // the count that a gatherer has told
}

func (c *count) fields() []*int64 {
	return []*int64{&c.incarnation, &c.n, &c.due, &c.digest, &c.padding, &c.stub, &c.told}
}

func (c *count) AppendBinary(b []byte) ([]byte, error) {
	for _, v := range c.fields() {
		b = binary.AppendVarint(b, *v)
	}
	return append(b, make([]byte, c.padding)...), nil
}

func (c *count) Size() int        { return 64 + int(c.padding) }
func (c *count) Touch() int       { return 0 }
func (c *count) NextTimer() int64 { return c.due }

func (c *counter) NewState(_ string, incarnation int64) State {
	return &count{incarnation: incarnation}
}

func (c *counter) LoadState(_ string, value []byte) (State, error) {
	var s count
	for _, v := range s.fields() {
		x, n := binary.Varint(value)
		if n <= 0 {
			return nil, errors.New("short state")
		}
		*v, value = x, value[n:]
	}
	return &s, nil
}

func parseCounterRecord(r *kgo.Record) (counterRecord, error) {
	at, rest, _ := strings.Cut(string(r.Value), ",")
	command, _, _ := strings.Cut(rest, ",")
	time, err := strconv.ParseInt(at, 10, 64)
	if err != nil || command == "bad" {
		return counterRecord{}, &Reject{Code: "undecodable", Err: errors.New("no number")}
	}
	return counterRecord{time, command}, nil
}

func (c *counter) Decode(i int, r *kgo.Record) (Route, error) {
	if c.gate != nil {
		c.gate(r)
	}
	for len(c.slots) <= i {
		c.slots = append(c.slots, counterRecord{})
	}
	var err error
	if c.slots[i], err = parseCounterRecord(r); err != nil {
		return Route{}, err
	}
	time := c.slots[i].time
	switch c.slots[i].command {
	case "unowned":
		return Route{EventTime: time}, nil
	case "ignore":
		return Route{Key: r.Key, EventTime: time, Ignore: true}, nil
	}
	return Route{Key: r.Key, EventTime: time}, nil
}

func (c *counter) Fold(i int, t *Turn) error {
	in := c.slots[i]
	if t.State == nil {
		t.Emit(Output{Topic: "out", Partition: t.Partition, Key: []byte("unowned"), Value: fmt.Appendf(nil, "offset=%d", t.Offset)})
		return nil
	}
	s := t.State.(*count)
	switch in.command {
	case "reject":
		return &Reject{Code: "refused", Err: errors.New("as told")}
	case "timer":
		s.due = in.time + 100
	case "stub":
		s.due, s.stub = in.time+50, 1
	case "big":
		s.padding = 2 * cmp.Or(c.limit, defaultMaxRecord)
	case "pad":
		s.padding += int64(len(t.Record.Value))
	}
	s.n++
	s.digest = digestOf(s.digest, t.Watermark)
	t.Changed()
	if in.command == "erase" {
		t.Delete()
	}
	if s.n%int64(c.every) == 0 {
		t.Emit(Output{Topic: "out", Partition: t.Partition, Key: bytes.Clone(t.Record.Key), Value: fmt.Appendf(nil, "n=%d incarnation=%d digest=%d", s.n, s.incarnation, s.digest), Lazy: s.n%2 == 0})
	}
	return nil
}

func (c *counter) Fire(t *Turn, due int64) error {
	s := t.State.(*count)
	s.due = 0
	t.Changed()
	if s.stub == 1 {
		t.Delete()
		if s.n%2 == 0 {
			return nil
		}
	}
	t.Emit(Output{Topic: "out", Partition: t.Partition, Key: []byte("timer"), Value: fmt.Appendf(nil, "due=%d n=%d incarnation=%d digest=%d", due, s.n, s.incarnation, s.digest)})
	return nil
}

func digestOf(digest, watermark int64) int64 { return (digest*31 + watermark) % 1_000_000_007 }

// gatherer is a counter that also tells, once a checkpoint, how many records each key has had since the last one.
type gatherer struct {
	counter
	folds  map[string]int64
	states map[string]*count // of those that have one
}

func newGatherer() *gatherer {
	return &gatherer{counter: counter{every: 3, limit: modelLimit}, folds: map[string]int64{}, states: map[string]*count{}}
}

func (g *gatherer) Fold(i int, t *Turn) error {
	err := g.counter.Fold(i, t)
	if err != nil || t.State == nil {
		return err
	}
	key := string(t.Record.Key)
	g.folds[key]++
	g.states[key] = t.State.(*count)
	return nil
}

// Flush also notes in the states what it has told; where one has gone, that goes nowhere.
func (g *gatherer) Flush(_ int64, emit func(Output)) {
	for key, n := range g.folds {
		emit(Output{Topic: "told", Key: []byte(key), Value: strconv.AppendInt(nil, n, 10)})
		g.states[key].told = g.states[key].n
	}
	clear(g.folds)
	clear(g.states)
}
