// Package usage is the canonical usage event: what upstream services say an account or one of its users did.
//
// It is pure: it knows nothing of Kafka, encodings, clocks or logs.
package usage

import "strconv"

// Event is one canonical usage event (schemas/usage_event.avsc).
//
// Decoders reuse events, and their strings may alias the record they were read from: both are valid until the next
// event is decoded into the same Event. Whoever keeps a string clones it.
type Event struct {
	ID         string     // unique to the event, for deduplication; empty when the source has none
	AccountID  string     // whose checklist it counts for
	UserID     string     // who did it; may be empty
	Name       string     // what happened, such as project_created
	OccurredAt int64      // when, ms since the Unix epoch, UTC
	Properties []Property // in the order of the source
	Quantity   float64    // how much; 0 when absent
	Source     string     // who says so; may be empty
	ReceivedAt int64      // when the source's record reached Kafka, ms since the Unix epoch, UTC
}

// Property is one named value of an event.
type Property struct {
	Key   string
	Value Value
}

// Property returns the named property's value, null when the event has none.
func (e *Event) Property(key string) Value {
	for i := range e.Properties {
		if e.Properties[i].Key == key {
			return e.Properties[i].Value
		}
	}
	return Value{}
}

// Kind is the type of a property's value.
type Kind uint8

// The kinds of values, those of schemas/usage_event.avsc.
const (
	Null Kind = iota
	Bool
	Long
	Double
	String
)

// Value is a null, boolean, long, double or string. The zero Value is null.
type Value struct {
	kind   Kind
	b      bool
	long   int64
	double float64
	str    string
}

// BoolValue returns a boolean value.
func BoolValue(b bool) Value { return Value{kind: Bool, b: b} }

// LongValue returns an integer value.
func LongValue(n int64) Value { return Value{kind: Long, long: n} }

// DoubleValue returns a floating point value.
func DoubleValue(f float64) Value { return Value{kind: Double, double: f} }

// StringValue returns a string value, which aliases s.
func StringValue(s string) Value { return Value{kind: String, str: s} }

// Kind says which of the accessors holds the value.
func (v Value) Kind() Kind { return v.kind }

// Bool returns a boolean value, false for every other kind.
func (v Value) Bool() bool { return v.b }

// Long returns an integer value, 0 for every other kind.
func (v Value) Long() int64 { return v.long }

// Double returns a floating point value, 0 for every other kind.
func (v Value) Double() float64 { return v.double }

// Str returns a string value, "" for every other kind.
func (v Value) Str() string { return v.str }

// String formats the value for people.
func (v Value) String() string {
	switch v.kind {
	case Bool:
		return strconv.FormatBool(v.b)
	case Long:
		return strconv.FormatInt(v.long, 10)
	case Double:
		return strconv.FormatFloat(v.double, 'g', -1, 64)
	case String:
		return v.str
	}
	return "null"
}
