package tracing

import "time"

// Kind says what part a span has in what goes between services.
type Kind int

// The kinds.
const (
	Internal Kind = iota
	Consumer      // it works on a record that another has published
	Producer      // it publishes a record
)

// Span is something that was done for a sampled record.
type Span struct {
	Context    Context // its own
	Parent     SpanID  // in the same trace; zero: none
	Name       string
	Kind       Kind
	Start, End time.Time
	Attributes []Attribute
	Links      []Context // spans of this or other traces that have to do with it
	Err        error     // why it failed; nil: it did not
}

// Attribute is something that is said of a span.
type Attribute struct {
	Key   string
	Value any // string, int64 or bool
}
