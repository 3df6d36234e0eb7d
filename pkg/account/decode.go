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
// entries in the log, and are gone once the state is encoded again. The state keeps accountID, but nothing of b.
func (e *Engine) Load(accountID string, b []byte) (*State, error) {
	r := &reader{b: b}
	if v := r.long(); !r.bad && v != layout {
		return nil, fmt.Errorf("loading account %s: its state has layout %d, this version reads %d", accountID, v, layout)
	}
	s := &State{id: accountID, standing: e.standingOn(accountID, e.start), due: checklist.Never, flags: unjudged}
	s.incarnation = r.long()
	s.ordinal = uint32(r.below(math.MaxUint32 + 1))
	s.flags |= flags(r.below(int64(allFlags) + 1))
	s.lastHour = int32(r.below(1 << 31))
	s.toldLast = uint32(r.below(math.MaxUint32 + 1))
	if !r.bad {
		s.parts.b = append([]byte(nil), r.b[r.at:]...)
	}
	if !s.parts.delimit() || !e.accept(s) {
		return nil, fmt.Errorf("loading account %s: %w", accountID, errMalformed)
	}
	s.overdue()
	return s, nil
}

// most is how many items a part can have; 0: as many as there is room for. Whatever looks at each item once for each other
// is held down by it.
var most = [partCount]int64{
	told: checklist.MaxProperties, users: maxUsers - 1, log: checklist.History + 1 + checklist.MaxSteps,
	work:    checklist.MaxSteps + 1, // the trial's end is no step
	merited: checklist.MaxSteps,
}

// delimit finds where each part of b ends, and says whether b is what parts are: with items that their readers can rely on,
// no more than there can be.
func (p *parts) delimit() bool {
	r := reader{b: p.b}
	var counts [partCount]int64
	for which := range partCount {
		n := r.count()
		if counts[which] = n; most[which] > 0 && n > most[which] {
			return false
		}
		for range n {
			r.item(which, &counts)
		}
		if n > 0 {
			r.below(1) // the array's end
		}
		if r.bad {
			return false
		}
		if which < partCount-1 {
			p.ends[which] = uint32(r.at)
		}
	}
	return !r.more()
}

// item passes over an item of a part and looks at its form; counts are the numbers of items of the parts up to it.
func (r *reader) item(of part, counts *[partCount]int64) {
	switch of {
	case told:
		nextProperty(r)
	case topics:
		r.text()
	case users:
		r.text()
		if events, _ := r.long(), r.long(); events < 0 {
			r.fail()
		}
		if role, steps := r.text(), r.text(); len(role) > checklist.MaxRole || len(steps) > maxMerits {
			r.fail()
		}
	case merited:
		r.key()
	case log:
		r.entry(counts[users], counts[topics])
	case work:
		r.key()
		r.text()
	case seen:
		r.take(seenSize)
	case held:
		if h := r.held(); h.Until < 0 {
			r.fail()
		}
	}
}

// entry passes over an entry of the log.
func (r *reader) entry(users, topics int64) {
	branch := r.below(branchUndone + 1)
	if branch == branchTransition {
		if kind := uint8(r.below(int64(len(types)))); kind == kindStepDone || kind == kindStepUndone {
			r.fail()
		}
		r.long()
		return
	}
	r.long()
	r.key()
	switch branch {
	case branchTimed:
		r.number()
	case branchDone:
		r.below(users + 1)
		r.eventID()
		r.below(topics)
		if partition := r.long(); partition != int64(int32(partition)) {
			r.fail()
		}
		r.long()
		r.number()
	}
}

// accept takes a loaded state in, and says whether it can be one.
func (e *Engine) accept(s *State) bool {
	rest, good := s.isRest()
	if !rest {
		return good && e.adopt(s)
	}
	if good && s.has(erased) {
		s.due = int64(s.lastHour) * hourMillis
	}
	return good
}

// adopt brings a loaded state under the engine's definition, and says whether it can be one of its.
func (e *Engine) adopt(s *State) bool {
	good := e.adoptTold(s) && e.adoptMerits(s) && e.adoptLog(s) && e.adoptWork(s) && s.seenInOrder()
	if !good {
		return false
	}
	properties := e.checklist.Defaults()
	if s.parts.count(told) > 0 {
		properties = e.properties(nil, s)
		s.standing = e.standingOn(s.id, e.standing(properties))
	}
	s.untrack(e.users)
	if e.checklist.Inactivity() == 0 || !s.has(qualified) {
		s.lastHour = 0 // it would count on from there once silence matters again
	}
	if e.timed {
		s.due = e.nextDue(s, properties, new(checklist.Moment))
	}
	if e.limit == 0 {
		s.parts.replace(seen, 0, len(s.parts.items(seen)), nil, -s.parts.count(seen))
	}
	return true
}

func (e *Engine) adoptTold(s *State) bool {
	var known uint64
	for at := 0; at < len(s.parts.items(told)); {
		r := reader{b: s.parts.items(told), at: at}
		p := nextProperty(&r)
		i := e.propertyOf(p.key)
		if i < 0 {
			s.parts.remove(told, at, p.size)
			continue
		}
		if p.value.Kind() != e.checklist.Properties()[i].Kind || known&(1<<i) != 0 {
			return false
		}
		known |= 1 << i
		at += p.size
	}
	return true
}

func (e *Engine) adoptLog(s *State) bool {
	r, d := s.log(), entry{}
	for r.next(&d) {
		if d.kind != kindStepDone && d.kind != kindStepUndone {
			continue
		}
		switch step := e.stepOf(d.key); {
		case step < 0:
			s.forget(&d)
			s.isDone = [2]uint64{}
			return e.adoptLog(s)
		case d.kind == kindStepUndone:
		case s.stepDone(step):
			return false
		default:
			s.setDone(step)
		}
	}
	return true
}

// adoptWork drops the working sets of steps that are done for good or gone. A live step that is done and has none of its shape
// begins anew: nobody could say when it holds no longer.
func (e *Engine) adoptWork(s *State) bool {
	steps, known, trial := e.checklist.Steps(), [2]uint64{}, false
	for at := 0; at < len(s.parts.items(work)); {
		r := reader{b: s.parts.items(work), at: at}
		key, set := r.key(), r.text()
		if end := e.checklist.TrialEnd(); end != nil && end.WorkKey == key && !s.has(trialOver) {
			if trial || !end.Valid(set) {
				return false
			}
			trial, at = true, r.at
			continue
		}
		step := slices.IndexFunc(steps, func(s checklist.Step) bool { return s.WorkKey == key })
		if step < 0 || s.stepDone(step) && !steps[step].Live {
			s.parts.remove(work, at, r.at-at)
			continue
		}
		if known[step>>6]&(1<<(step&63)) != 0 || !steps[step].Valid(set) {
			return false
		}
		known[step>>6] |= 1 << (step & 63)
		at = r.at
	}
	for i := range steps {
		if steps[i].Judged && steps[i].Live && s.stepDone(i) && known[i>>6]&(1<<(i&63)) == 0 {
			s.takeBack(i, steps[i].Key)
		}
	}
	return true
}

func (s *State) seenInOrder() bool {
	items := s.parts.items(seen)
	for i := seenSize; i < len(items); i += seenSize {
		if seenAt(items[i:]) < seenAt(items[i-seenSize:]) {
			return false
		}
	}
	return true
}

// stepOf returns the index of the step with a key, -1 when there is none.
func (e *Engine) stepOf(key uint32) int {
	return slices.IndexFunc(e.checklist.Steps(), func(s checklist.Step) bool { return s.Key == key })
}

// reader takes apart Avro's binary encoding. After the first thing wrong it is bad and reads zeros.
type reader struct {
	b   []byte
	at  int // what is read next
	bad bool
}

func (r *reader) more() bool { return r.at < len(r.b) }

// long reads a varint, which must be as short as it can be.
func (r *reader) long() int64 {
	if r.at < len(r.b) && r.b[r.at] < 0x80 { // most are
		c := int64(r.b[r.at])
		r.at++
		return c>>1 ^ -(c & 1)
	}
	v, n := binary.Varint(r.b[r.at:])
	if n <= 0 || r.b[r.at+n-1] == 0 {
		r.fail()
		return 0
	}
	r.at += n
	return v
}

func (r *reader) fail() { r.at, r.bad = len(r.b), true }

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
	if n < 0 || n > int64(len(r.b)-r.at) {
		r.fail()
		return nil
	}
	r.at += int(n)
	return r.b[r.at-int(n) : r.at : r.at]
}

// count begins an array of at most one block and returns the number of its items, at most as many as there are bytes.
func (r *reader) count() int64 { return r.below(int64(len(r.b) - r.at)) }

func (r *reader) key() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
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

// text reads a text or bytes, which alias what is read.
func (r *reader) text() []byte { return r.take(r.long()) }

// eventID reads an event's id; a text aliases what is read.
func (r *reader) eventID() (id eventID) {
	if r.below(branchUUID+1) == branchText {
		id.text = alias(r.text())
		return id
	}
	if b := r.take(16); b != nil {
		id.uuid, id.isUUID = [16]byte(b), true
	}
	return id
}

// value reads a property's value; a text aliases what is read.
func (r *reader) value() usage.Value {
	switch r.below(valueText + 1) {
	case valueBoolean:
		b := r.take(1)
		if len(b) == 0 || b[0] > 1 {
			r.fail()
			return usage.Value{}
		}
		return usage.BoolValue(b[0] == 1)
	case valueLong:
		return usage.LongValue(r.long())
	case valueDouble:
		return usage.DoubleValue(r.double())
	}
	return usage.StringValue(alias(r.text()))
}
