package account

import (
	"unsafe"

	"github.com/pqlstream/pqlstream/pkg/checklist"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// property is an account property that an event has told.
type property struct {
	key   uint32
	at    int64 // time of the event that told it
	value usage.Value
	size  int // of the item
}

// nextProperty reads an item of told. A text value aliases the state: it is valid until told changes.
func nextProperty(r *reader) (p property) {
	before := r.at
	p.key, p.at, p.value = r.key(), r.long(), r.value()
	p.size = r.at - before
	return p
}

// isUser says whether the property is a user's id, as it is kept of users.
func (p *property) isUser(user string) bool {
	return p.value.Kind() == usage.String && clip(p.value.Str()) == user
}

// property returns what an event has told about a property and where the item lies; its size is 0 when none has.
func (s *State) property(key uint32) (p property, at int) {
	items := s.parts.items(told)
	for r := (reader{b: items}); r.more(); {
		at = r.at
		if p = nextProperty(&r); p.key == key {
			return p, at
		}
	}
	return property{}, len(items)
}

// learn takes over the account properties that the event tells. The newest event by its own time is right, whichever
// comes last: so disorder can't bring back an old value. It says whether a property is not what it was.
func (t *turn) learn(sources []checklist.Source) (news bool) {
	for i := range sources {
		declared := &t.engine.checklist.Properties()[sources[i].Property]
		v, ok := declared.Take(t.ev.Property(sources[i].Path))
		if !ok {
			continue
		}
		known, at := t.state.property(declared.Key)
		if known.size > 0 && t.ev.OccurredAt < known.at {
			continue
		}
		before := known.value
		if known.size == 0 {
			before = declared.Default
		}
		if v == before && known.size > 0 && t.ev.OccurredAt == known.at {
			continue
		}
		news = news || v != before
		t.tell(declared.Key, v, at, known.size)
	}
	if news {
		t.restand()
	}
	return news
}

// restand finds the standing anew, as properties have changed.
func (t *turn) restand() {
	before := t.tier()
	t.state.standing = t.engine.standingOn(t.state.id, t.engine.standing(t.properties()))
	if t.tier() != before {
		t.barBefore = before.Threshold
	}
	t.judge, t.moved = true, true
}

// tell puts a property in the place of an item, of size 0 when there was none.
func (t *turn) tell(key uint32, v usage.Value, at, size int) {
	t.item = appendValue(appendLong(appendKey(t.item[:0], key), t.ev.OccurredAt), v)
	more := 0
	if size == 0 {
		more = 1
	}
	t.state.parts.replace(told, at, size, t.item, more)
	t.changed, t.read = true, false
}

// properties returns the account's properties, once the turn has learned what there is to learn.
func (t *turn) properties() []usage.Value {
	if t.state.parts.count(told) == 0 {
		return t.engine.checklist.Defaults()
	}
	if !t.read {
		t.values, t.read = t.engine.properties(t.values[:0], t.state), true
	}
	return t.values
}

// properties appends the values of an account's properties, the checklist's defaults where no event has told them. They
// are valid until told changes.
func (e *Engine) properties(values []usage.Value, s *State) []usage.Value {
	values = append(values, e.checklist.Defaults()...)
	for r := (reader{b: s.parts.items(told)}); r.more(); {
		p := nextProperty(&r)
		if i := e.propertyOf(p.key); i >= 0 {
			values[i] = p.value
		}
	}
	return values
}

// propertyOf returns the index of the property with a key, -1 when there is none.
func (e *Engine) propertyOf(key uint32) int {
	declared := e.checklist.Properties()
	for i := range declared {
		if declared[i].Key == key {
			return i
		}
	}
	return -1
}

// alias returns bytes as a string that changes with them.
func alias(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
