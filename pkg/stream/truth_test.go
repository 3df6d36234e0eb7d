package stream

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
)

// truth is what has to come of one input partition: the counter's job done in one plain loop, without tables, commits
// or takeovers. Outputs come in the order of the records that led to them; what order those of different entities have is
// nobody's business, see byEntity.
type truth struct {
	out    []string
	dead   []string
	states map[string]count
	folds  map[string]int64 // records of each key, those of states that have gone included
	moved  int64            // highest event time
	limit  int64            // bytes that an encoded state may take
}

func truthOf(records []*kgo.Record, every, disorder, limit int64, clock ...tick) truth {
	f := truth{states: map[string]count{}, folds: map[string]int64{}, limit: limit}
	for i, r := range records {
		for _, t := range clock {
			if t.moved && t.before == i {
				f.pass(t.at, disorder)
			}
		}
		in, err := parseCounterRecord(r)
		if err != nil {
			f.dead = append(f.dead, fmt.Sprintf("%s=undecodable", r.Key))
			continue
		}
		f.moved = max(f.moved, in.time)
		watermark := max(f.moved-disorder, 0)
		f.fire(watermark)
		switch in.command {
		case "unowned":
			f.out = append(f.out, fmt.Sprintf("unowned=offset=%d", r.Offset))
		case "reject":
			f.dead = append(f.dead, fmt.Sprintf("%s=refused", r.Key))
		case "ignore":
		default:
			f.fold(r, in, watermark, every)
		}
	}
	return f
}

// tick is the wall clock moving time on before a record, because nothing had come for so long. It need not do so: only if
// something seems due.
type tick struct {
	before int
	at     int64
	moved  bool
}

// pass lets time pass by the clock.
func (f *truth) pass(clock, disorder int64) {
	f.moved = max(f.moved, clock)
	f.fire(max(f.moved-disorder, 0))
}

// fire fires what is due, the earliest first and those of one moment by key.
func (f *truth) fire(watermark int64) {
	var due []string
	for key, s := range f.states {
		if s.due != 0 && s.due <= watermark {
			due = append(due, key)
		}
	}
	slices.SortFunc(due, func(a, b string) int {
		return cmp.Or(cmp.Compare(f.states[a].due, f.states[b].due), cmp.Compare(a, b))
	})
	for _, key := range due {
		s := f.states[key]
		if s.stub == 1 {
			delete(f.states, key)
			if s.n%2 == 0 {
				continue
			}
		}
		f.out = append(f.out, fmt.Sprintf("timer=due=%d n=%d incarnation=%d digest=%d", s.due, s.n, s.incarnation, s.digest))
		if s.stub == 0 {
			s.due = 0
			f.states[key] = s
		}
	}
}

func (f *truth) fold(r *kgo.Record, in counterRecord, watermark, every int64) {
	s, known := f.states[string(r.Key)]
	if !known {
		s.incarnation = r.Offset
	}
	switch in.command {
	case "big":
		s.padding = 2 * f.limit
	case "pad":
		s.padding += int64(len(r.Value))
	case "timer":
		s.due = in.time + 100
	case "stub":
		s.due, s.stub = in.time+50, 1
	}
	s.n++
	s.digest = (s.digest*31 + watermark) % 1_000_000_007
	if encoded, _ := s.AppendBinary(nil); int64(len(encoded)) > f.limit && in.command != "erase" {
		f.dead = append(f.dead, fmt.Sprintf("%s=state_too_large", r.Key))
		return
	}
	if s.n%every == 0 {
		f.out = append(f.out, fmt.Sprintf("%s=n=%d incarnation=%d digest=%d", r.Key, s.n, s.incarnation, s.digest))
	}
	f.folds[string(r.Key)]++
	if f.states[string(r.Key)] = s; in.command == "erase" {
		delete(f.states, string(r.Key))
	}
}

// describe lists states for comparison.
func describe(states map[string]count) (list []string) {
	for _, key := range slices.Sorted(maps.Keys(states)) {
		s := states[key]
		list = append(list, fmt.Sprintf("%s: n=%d incarnation=%d due=%d digest=%d padding=%d stub=%d", key, s.n, s.incarnation, s.due, s.digest, s.padding, s.stub))
	}
	return list
}

var incarnation = regexp.MustCompile(`incarnation=\d+`)

// byEntity brings outputs together by entity, each one's in the order in which they came.
func byEntity(outputs []string) []string {
	outputs = slices.Clone(outputs)
	slices.SortStableFunc(outputs, func(a, b string) int {
		return cmp.Compare(incarnation.FindString(a), incarnation.FindString(b))
	})
	return outputs
}
