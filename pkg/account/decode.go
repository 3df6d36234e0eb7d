package account

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/pqlstream/pqlstream/pkg/checklist"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// errMalformed says that bytes are no encoded state.
var errMalformed = errors.New("malformed account state")

// Load decodes what AppendBinary appended, also by an Engine of another definition: steps, working sets and properties
// that this one does not have (a working set also when its step counts something else now) are dropped, with their
// moments of the history, and are gone once the state is encoded again. The state keeps accountID, but nothing of b.
func (e *Engine) Load(accountID string, b []byte) (*State, error) {
	r := &reader{b: b}
	if v := r.long(); !r.bad && v != layout {
		return nil, fmt.Errorf("loading account %s: its state has layout %d, this version reads %d", accountID, v, layout)
	}
	s := e.New(accountID, r.long())
	s.ordinal = r.long()
	s.flags = flags(r.below(int64(allFlags) + 1))
	s.signedUpAt, s.qualifiedAt = r.long(), r.long()
	names := r.texts()
	places := s.loadDone(r, names)
	s.loadWork(r)
	s.loadProperties(r)
	s.loadUsers(r, names)
	s.loadSeen(r)
	s.loadHistory(r, places)
	if r.bad || len(r.b) > 0 {
		return nil, fmt.Errorf("loading account %s: %w", accountID, errMalformed)
	}
	s.recompute()
	return s, nil
}

// dropped is a step that the checklist does not have.
const dropped = -2

// loadDone returns the step at each place of the encoded list.
func (s *State) loadDone(r *reader, names []string) (places []int) {
	steps := s.engine.checklist.Steps()
	for n := r.count(); n > 0; n = r.next(n) {
		key := r.key()
		d := evidence{at: r.long(), user: r.name(names), event: r.eventID(), topic: r.name(names),
			partition: int32(r.long()), offset: r.long(), count: r.number()}
		step := slices.IndexFunc(steps, func(s checklist.Step) bool { return s.Key == key })
		if step < 0 {
			places = append(places, dropped)
			continue
		}
		if s.stepDone(step) {
			r.bad = true
			return nil
		}
		if s.done == nil {
			s.done = make([]evidence, 0, min(n, int64(len(steps))))
		}
		d.step, d.topic = uint16(step), s.engine.topic(d.topic)
		s.setDone(step)
		s.done, places = append(s.done, d), append(places, step)
	}
	return places
}

func (s *State) loadWork(r *reader) {
	steps := s.engine.checklist.Steps()
	for n := r.count(); n > 0; n = r.next(n) {
		key := r.key()
		w := work{Work: checklist.Work{Total: r.number(), IDs: r.texts(), Days: r.days()}}
		if !slices.IsSorted(w.IDs) {
			r.bad = true
		}
		step := slices.IndexFunc(steps, func(s checklist.Step) bool { return s.WorkKey == key })
		if step < 0 || s.stepDone(step) {
			continue
		}
		if slices.ContainsFunc(s.work, func(w work) bool { return int(w.step) == step }) {
			r.bad = true
			return
		}
		if s.work == nil {
			s.work = make([]work, 0, min(n, int64(len(steps))))
		}
		w.step = uint16(step)
		s.work = append(s.work, w)
	}
}

func (s *State) loadProperties(r *reader) {
	properties := s.engine.checklist.Properties()
	for n := r.count(); n > 0; n = r.next(n) {
		key, at, v := r.key(), r.long(), r.value()
		i := slices.IndexFunc(properties, func(p checklist.Property) bool { return p.Key == key })
		if i < 0 {
			continue
		}
		if v.Kind() != properties[i].Kind {
			r.bad = true
			return
		}
		s.set(i, v, at)
	}
	if s.told != nil {
		s.standing = s.engine.standing(s.properties)
	}
}

// loadUsers keeps the newest when fewer are tracked now.
func (s *State) loadUsers(r *reader, names []string) {
	for n := r.count(); n > 0; n = r.next(n) {
		u := user{id: r.name(names), events: r.long(), lastSeen: r.long()}
		if s.users == nil {
			s.users = make([]user, 0, min(n, int64(s.engine.users)))
		}
		s.users = append(s.users, u)
	}
	for len(s.users) > s.engine.users {
		oldest := 0
		for i := range s.users {
			if s.users[i].lastSeen < s.users[oldest].lastSeen {
				oldest = i
			}
		}
		s.users = slices.Delete(s.users, oldest, oldest+1)
	}
}

func (s *State) loadSeen(r *reader) {
	for n := r.count(); n > 0; n = r.next(n) {
		e := seenEvent{id: r.uint64(), at: r.long()}
		if newest := s.seen.newest(); newest != nil && e.at < newest.at {
			r.bad = true
			return
		}
		if s.seen.events == nil {
			s.seen.events = make([]seenEvent, 0, min(n, int64(s.engine.limit)))
		}
		s.seen.events = append(s.seen.events, e)
	}
	if over := len(s.seen.events) - s.engine.limit; over > 0 {
		s.seen.events = slices.Delete(s.seen.events, 0, over)
	}
}

func (s *State) loadHistory(r *reader, places []int) {
	for n := r.count(); n > 0; n = r.next(n) {
		m := moment{kind: uint8(r.below(int64(len(types)))), at: r.long(), step: noStep}
		if place := r.below(int64(len(places)) + 1); place > 0 {
			if places[place-1] == dropped {
				continue
			}
			m.step = int16(places[place-1])
		}
		if s.history == nil {
			s.history = make([]moment, 0, min(n, checklist.History))
		}
		s.remember(m)
	}
}

// reader takes apart Avro's binary encoding. After the first thing wrong it is bad, reads zeros and ends every array.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) long() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) fail() { r.b, r.bad = nil, true }

// below returns a number from 0 to below a limit.
func (r *reader) below(limit int64) int64 {
	v := r.long()
	if v < 0 || v >= limit {
		r.fail()
		return 0
	}
	return v
}

func (r *reader) take(n int64) []byte {
	if n < 0 || n > int64(len(r.b)) {
		r.fail()
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

// count begins an array's block and returns the number of its items, at most as many as there are bytes.
func (r *reader) count() int64 {
	n := r.long()
	if n < 0 && n > math.MinInt64 { // with the block's size in bytes
		n = -n
		r.long()
	}
	if n < 0 || n > int64(len(r.b)) {
		r.fail()
		return 0
	}
	return n
}

// next ends an item, n being the number of those left with it, and begins the next block after a block's last.
func (r *reader) next(n int64) int64 {
	if r.bad {
		return 0
	}
	if n > 1 {
		return n - 1
	}
	return r.count()
}

func (r *reader) key() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if b := r.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (r *reader) double() float64 {
	if b := r.take(8); b != nil {
		return math.Float64frombits(binary.LittleEndian.Uint64(b))
	}
	return 0
}

func (r *reader) number() float64 {
	if r.below(branchDouble+1) == branchLong {
		return float64(r.long())
	}
	return r.double()
}

func (r *reader) text() string { return string(r.take(r.long())) }

// texts returns an array of strings that share one piece of memory.
func (r *reader) texts() []string {
	start, texts := r.b, 0
	for n := r.count(); n > 0; n = r.next(n) {
		r.take(r.long())
		texts++
	}
	if r.bad || texts == 0 {
		return nil
	}
	start = start[:len(start)-len(r.b)]
	all, again, out := string(start), &reader{b: start}, make([]string, 0, texts)
	for n := again.count(); n > 0; n = again.next(n) {
		size := again.long()
		at := len(start) - len(again.b)
		again.take(size)
		out = append(out, all[at:at+int(size)])
	}
	return out
}

func (r *reader) days() []checklist.Day {
	var out []checklist.Day
	for n := r.count(); n > 0; n = r.next(n) {
		d := checklist.Day{Day: int32(r.long()), N: uint32(r.long())}
		if out == nil {
			out = make([]checklist.Day, 0, n)
		} else if d.Day <= out[len(out)-1].Day {
			r.fail()
			return nil
		}
		out = append(out, d)
	}
	return out
}

func (r *reader) name(names []string) string {
	i := r.below(int64(len(names)))
	if r.bad {
		return ""
	}
	return names[i]
}

func (r *reader) eventID() string {
	if r.below(branchUUID+1) == branchText {
		return r.text()
	}
	if b := r.take(16); b != nil {
		return formatUUID([16]byte(b))
	}
	return ""
}

func (r *reader) value() usage.Value {
	switch r.below(valueText + 1) {
	case valueBoolean:
		b := r.take(1)
		return usage.BoolValue(len(b) == 1 && b[0] == 1)
	case valueLong:
		return usage.LongValue(r.long())
	case valueDouble:
		return usage.DoubleValue(r.double())
	}
	return usage.StringValue(r.text())
}
