package codec

import (
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// field is a canonical field that a source value can go to.
type field uint8

const (
	fieldEventID field = iota
	fieldAccountID
	fieldUserID
	fieldEvent
	fieldOccurredAt
	fieldQuantity
	fieldSource
	fieldReceivedAt
	fieldProperties // the whole map
	fieldSingle     // one mapped property
)

var fieldNames = [...]string{
	fieldEventID: usage.FieldEventID, fieldAccountID: usage.FieldAccountID, fieldUserID: usage.FieldUserID,
	fieldEvent: usage.FieldEvent, fieldOccurredAt: usage.FieldOccurredAt, fieldQuantity: usage.FieldQuantity,
	fieldSource: usage.FieldSource, fieldReceivedAt: usage.FieldReceivedAt, fieldProperties: usage.FieldProperties,
}

func (f field) isText() bool {
	return f == fieldEventID || f == fieldAccountID || f == fieldUserID || f == fieldEvent || f == fieldSource
}

// isID says whether a field tells things apart, which may be numbered.
func (f field) isID() bool { return f == fieldEventID || f == fieldAccountID || f == fieldUserID }

// target is where a source value goes.
type target struct {
	field  field
	single int // of fieldSingle: index into plan.singles
}

// slot is where a property that is read later on is noted.
func (t target) slot() int {
	if t.field == fieldSingle {
		return 1 + t.single
	}
	return 0
}

// want says what a mapping needs at one place of a source record and below it.
type want struct {
	targets []target
	below   wants
}

// wants are what is wanted below a place, by name. They are few: going through them is faster than hashing.
type wants []namedWant

type namedWant struct {
	name string
	*want
}

// index returns which of them is wanted under a name, -1 when none is.
func (ws wants) index(name string) int {
	for i := range ws {
		if ws[i].name == name {
			return i
		}
	}
	return -1
}

// named returns what is wanted under a name, nil when nothing.
func (ws wants) named(name string) *want {
	if i := ws.index(name); i >= 0 {
		return ws[i].want
	}
	return nil
}

// plan is a mapping as the tree of what is wanted from a source record.
type plan struct {
	root    *want
	paths   map[target]usage.Path
	singles []string // keys of the properties mapped one by one
	given   []string // required fields that a record may lack
}

func newPlan(m usage.Mapping) *plan {
	p := &plan{root: &want{}, paths: map[target]usage.Path{}, given: m.Given}
	p.add(m.EventID, target{field: fieldEventID})
	p.add(m.AccountID, target{field: fieldAccountID})
	p.add(m.UserID, target{field: fieldUserID})
	p.add(m.Event, target{field: fieldEvent})
	p.add(m.OccurredAt, target{field: fieldOccurredAt})
	p.add(m.Quantity, target{field: fieldQuantity})
	p.add(m.Source, target{field: fieldSource})
	p.add(m.ReceivedAt, target{field: fieldReceivedAt})
	p.add(m.Properties, target{field: fieldProperties})
	for i, single := range m.Single {
		p.singles = append(p.singles, single.Key)
		p.add(single.Path, target{field: fieldSingle, single: i})
	}
	return p
}

func (p *plan) add(path usage.Path, t target) {
	if len(path) == 0 {
		return
	}
	at := p.root
	for _, name := range path {
		next := at.below.named(name)
		if next == nil {
			next = &want{}
			at.below = append(at.below, namedWant{name, next})
		}
		at = next
	}
	at.targets = append(at.targets, t)
	p.paths[t] = path
}

// name is the canonical name of a target, for errors.
func (p *plan) name(t target) string {
	if t.field == fieldSingle {
		return usage.PropertyField(p.singles[t.single])
	}
	return fieldNames[t.field]
}

// wrongType is the code for a value of a type that the target can't have.
func (p *plan) wrongType(t target) string {
	if t.field == fieldSingle {
		return usage.CodePropertyWrongType
	}
	return usage.WrongType(fieldNames[t.field])
}

type singleValue struct {
	set   bool
	value usage.Value
}

// later is where in a record properties are that may be read once it is known whether anybody wants them.
type later struct {
	noted bool
	from  int // the position
	op    *op // opLater; Avro only
}

// sink collects the values of one record into an event. Values of the wrong kind don't come here: those who read know
// what each target takes.
type sink struct {
	plan   *plan
	event  *usage.Event
	single []singleValue
	later  []later          // by target.slot()
	only   *usage.Selection // the properties that are wanted; nil: all
}

func (s *sink) reset(into *usage.Event) {
	properties := into.Properties[:0]
	*into = usage.Event{Properties: properties}
	s.event, s.only = into, nil
	for i := range s.single {
		s.single[i].set = false
	}
	for i := range s.later {
		s.later[i].noted = false
	}
}

// put stores a value, of which null is the same as none except for a property.
func (s *sink) put(t target, v usage.Value) {
	switch t.field {
	case fieldOccurredAt:
		s.event.OccurredAt = v.Long()
	case fieldReceivedAt:
		s.event.ReceivedAt = v.Long()
	case fieldQuantity:
		s.event.Quantity = v.Double()
		if v.Kind() == usage.Long {
			s.event.Quantity = float64(v.Long())
		}
	case fieldSingle:
		s.single[t.single] = singleValue{set: true, value: v}
	default:
		s.putText(t.field, v.Str())
	}
}

func (s *sink) putText(f field, text string) {
	switch f {
	case fieldEventID:
		s.event.ID = text
	case fieldAccountID:
		s.event.AccountID = text
	case fieldUserID:
		s.event.UserID = text
	case fieldEvent:
		s.event.Name = text
	case fieldSource:
		s.event.Source = text
	}
}

// clear forgets what was stored for a place and below it: the place comes again, and the last one wins.
func (s *sink) clear(w *want) {
	for _, t := range w.targets {
		switch t.field {
		case fieldProperties:
			s.event.Properties = s.event.Properties[:0]
			s.later[t.slot()] = later{}
		case fieldSingle:
			s.single[t.single] = singleValue{}
			s.later[t.slot()] = later{}
		default:
			s.put(t, usage.Value{})
		}
	}
	for _, below := range w.below {
		s.clear(below.want)
	}
}

// property stores an entry of the properties; of equal keys the last wins.
func (s *sink) property(key string, v usage.Value) error {
	for i := range s.event.Properties {
		if s.event.Properties[i].Key == key {
			s.event.Properties[i].Value = v
			return nil
		}
	}
	if len(s.event.Properties) == usage.MaxProperties {
		return usage.TooManyProperties()
	}
	s.event.Properties = append(s.event.Properties, usage.Property{Key: key, Value: v})
	return nil
}

// finish adds the properties mapped one by one, which win over those of the map.
func (s *sink) finish() error {
	for i := range s.single {
		if !s.single[i].set {
			continue
		}
		if err := s.property(s.plan.singles[i], s.single[i].value); err != nil {
			return err
		}
	}
	return nil
}
