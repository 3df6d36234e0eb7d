package stream

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// counter is the processor of this package's tests: it counts the records of each key and publishes every third, and
// what the watermark was. A record's value is "event time" or "event time,command".
//
//	bad      can't be decoded        big      makes the state too large
//	timer    sets a timer 100 ms on  unowned  publishes without an entity
type counter struct {
	every int
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
	padding     int64
}

func (c *count) AppendBinary(b []byte) ([]byte, error) {
	for _, v := range []int64{c.incarnation, c.n, c.due, c.padding} {
		b = binary.AppendVarint(b, v)
	}
	return append(b, make([]byte, c.padding)...), nil
}

func (c *count) Size() int        { return 64 + int(c.padding) }
func (c *count) NextTimer() int64 { return c.due }

func (c *counter) NewState(_ []byte, incarnation int64) State {
	return &count{incarnation: incarnation}
}

func (c *counter) LoadState(_ []byte, value []byte) (State, error) {
	var s count
	for _, v := range []*int64{&s.incarnation, &s.n, &s.due, &s.padding} {
		x, n := binary.Varint(value)
		if n <= 0 {
			return nil, errors.New("short state")
		}
		*v, value = x, value[n:]
	}
	return &s, nil
}

func (c *counter) Decode(i int, r *kgo.Record) (Route, error) {
	for len(c.slots) <= i {
		c.slots = append(c.slots, counterRecord{})
	}
	at, command, _ := strings.Cut(string(r.Value), ",")
	time, err := strconv.ParseInt(at, 10, 64)
	if err != nil || command == "bad" {
		return Route{}, &Reject{Code: "undecodable", Err: errors.New("no number")}
	}
	c.slots[i] = counterRecord{time, command}
	switch command {
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
	s.n++
	switch in.command {
	case "timer":
		s.due = in.time + 100
	case "big":
		s.padding = 2_000_000
	}
	t.Changed()
	if s.n%int64(c.every) == 0 {
		t.Emit(Output{Topic: "out", Partition: t.Partition, Key: t.Record.Key, Value: fmt.Appendf(nil, "n=%d incarnation=%d", s.n, s.incarnation)})
	}
	return nil
}

func (c *counter) Fire(t *Turn, due int64) error {
	s := t.State.(*count)
	s.due = 0
	t.Changed()
	t.Emit(Output{Topic: "out", Partition: t.Partition, Key: fmt.Appendf(nil, "timer"), Value: fmt.Appendf(nil, "due=%d n=%d", due, s.n)})
	return nil
}
