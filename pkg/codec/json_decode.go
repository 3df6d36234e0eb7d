package codec

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

// jsonReader reads what is wanted from a JSON object into a sink. All of it must be valid, also what nobody wants.
type jsonReader struct {
	jsonScanner
	sink *sink
	core bool // source and received_at are not read, properties later on if at all
}

func (r *jsonReader) decode(value []byte, s *sink, core bool) error {
	r.jsonScanner = jsonScanner{b: value, nest: r.nest}
	r.sink, r.core = s, core
	if r.peek() != '{' {
		return malformed(value, undecodableJSON(errors.New("it is not an object")))
	}
	if err := r.object(s.plan.root); err != nil {
		return malformed(value, err)
	}
	if r.peek(); r.failed || r.pos < len(value) {
		return malformed(value, undecodableJSON(errors.New("it is not valid")))
	}
	return nil
}

// malformed says what is wrong with a record that can't be read: err only where it is valid JSON.
func malformed(value []byte, err error) error {
	if !utf8.Valid(value) {
		return undecodableJSON(errors.New("it is not valid UTF-8"))
	}
	if !json.Valid(value) {
		var raw json.RawMessage
		return undecodableJSON(json.Unmarshal(value, &raw))
	}
	return err
}

func undecodableJSON(err error) *usage.Error {
	return &usage.Error{Code: usage.CodeUndecodable, Err: fmt.Errorf("reading JSON: %w", err)}
}

// object reads the members that are wanted; of equal names the last wins.
func (r *jsonReader) object(w *want) error {
	seen := uint64(0) // of the first that are wanted
	for more := r.open(); more; more = r.next() {
		i := w.below.index(r.name())
		if i < 0 {
			r.skip()
			continue
		}
		below := w.below[i].want
		if bit := uint64(1) << i; seen&bit != 0 || bit == 0 {
			r.sink.clear(below)
		} else {
			seen |= bit
		}
		if err := r.value(below); err != nil {
			return err
		}
	}
	return nil
}

// value reads a value once for each of those that want it.
func (r *jsonReader) value(w *want) error {
	kind, start := r.peek(), r.pos
	for _, t := range w.targets {
		r.pos = start
		if err := r.target(t, kind); err != nil {
			return err
		}
	}
	if len(w.below) == 0 {
		return nil
	}
	r.pos = start
	if kind == '{' {
		return r.object(w)
	}
	r.skip()
	return nil
}

func (r *jsonReader) target(t target, kind byte) error {
	switch t.field {
	case fieldProperties, fieldSingle:
		if r.core {
			r.sink.later[t.slot()] = later{noted: true, from: r.pos}
			r.skip()
			return nil
		}
		if t.field == fieldProperties {
			return r.properties(kind)
		}
	case fieldSource, fieldReceivedAt:
		if r.core {
			r.skip()
			return nil
		}
	}
	if kind == '"' && t.field.isText() {
		r.sink.putText(t.field, r.text())
		return nil
	}
	v, err := r.convert(t, kind)
	r.sink.put(t, v)
	return err
}

// readLater reads what was noted of a valid document for later.
func (r *jsonReader) readLater(from, slot int) error {
	r.pos, r.core = from, false
	if slot == 0 {
		return r.target(target{field: fieldProperties}, r.peek())
	}
	return r.target(target{field: fieldSingle, single: slot - 1}, r.peek())
}

// convert makes a value what a target takes. null is the same as none, except for a property.
func (r *jsonReader) convert(t target, kind byte) (usage.Value, error) {
	switch {
	case kind == 'n':
		r.skip()
		return usage.Value{}, nil
	case t.field == fieldSingle:
		return r.property(kind), nil
	case t.field.isID() && isNumber(kind):
		return r.id(t, kind)
	case t.field == fieldQuantity && isNumber(kind):
		token, _ := r.number()
		return jsonDouble(token), nil
	case t.field == fieldOccurredAt || t.field == fieldReceivedAt:
		return r.moment(t, kind)
	}
	return usage.Value{}, r.wrongType(t, kind)
}

// id makes a whole number the text that it is written as: many products number their accounts and users.
func (r *jsonReader) id(t target, kind byte) (usage.Value, error) {
	token, whole := r.number()
	if !whole {
		return usage.Value{}, r.wrongType(t, kind)
	}
	return usage.StringValue(token), nil
}

// moment reads ms since the Unix epoch or an RFC 3339 string, rounding down.
func (r *jsonReader) moment(t target, kind byte) (usage.Value, error) {
	name := r.sink.plan.name(t)
	switch {
	case kind == '"':
		at, err := time.Parse(time.RFC3339, r.text())
		if err != nil {
			return usage.Value{}, &usage.Error{Code: usage.WrongType(name), Field: name, Err: errors.New("is a string, but not an RFC 3339 time with a zone, such as 2026-01-31T09:00:00Z")}
		}
		return usage.LongValue(at.UnixMilli()), nil
	case isNumber(kind):
		v := jsonNumber(r.number())
		if v.Kind() == usage.Long {
			return v, nil
		}
		ms := math.Floor(v.Double())
		if math.Abs(ms) >= 1<<53 {
			return usage.Value{}, &usage.Error{Code: usage.CodeTimestampOutOfRange, Field: name, Err: fmt.Errorf("%g ms is not between 1970 and 9999", ms)}
		}
		return usage.LongValue(int64(ms)), nil
	}
	return usage.Value{}, r.wrongType(t, kind)
}

// properties reads an object whose every member is a property: those that are chosen.
func (r *jsonReader) properties(kind byte) error {
	switch kind {
	case '{':
	case 'n':
		r.skip()
		return nil
	default:
		return r.wrongType(target{field: fieldProperties}, kind)
	}
	n, only := 0, r.sink.only
	for more := r.open(); more; more = r.next() {
		// Repeated names count too, so that they can't make it long.
		if n++; only == nil && n > usage.MaxProperties {
			return usage.TooManyProperties()
		}
		key := r.name()
		if only != nil && !only.Has(key) {
			r.skip()
			continue
		}
		if err := r.sink.property(key, r.property(r.peek())); err != nil {
			return err
		}
	}
	return nil
}

// property reads a property's value. An object or an array is kept as its JSON text: that an event lists what was bought must
// not make it one that can't be counted.
func (r *jsonReader) property(kind byte) usage.Value {
	switch {
	case kind == '"':
		return usage.StringValue(r.text())
	case isNumber(kind):
		return jsonNumber(r.number())
	case kind == 't' || kind == 'f':
		r.skip()
		return usage.BoolValue(kind == 't')
	case kind == 'n':
		r.skip()
		return usage.Value{}
	}
	return usage.StringValue(r.raw())
}

func (r *jsonReader) wrongType(t target, kind byte) *usage.Error {
	return &usage.Error{Code: r.sink.plan.wrongType(t), Field: r.sink.plan.name(t), Err: wrongJSON(kind)}
}

func wrongJSON(kind byte) error {
	name := "a number"
	switch kind {
	case '{':
		name = "an object"
	case '[':
		name = "an array"
	case '"':
		name = "a string"
	case 't', 'f':
		name = "a boolean"
	}
	return fmt.Errorf("can't be %s", name)
}

func isNumber(kind byte) bool { return kind == '-' || '0' <= kind && kind <= '9' }

// jsonNumber is a Long when the number is written as a whole one and fits, else a Double, infinite when it is too large.
func jsonNumber(token string, whole bool) usage.Value {
	if whole {
		if n, err := strconv.ParseInt(token, 10, 64); err == nil {
			return usage.LongValue(n)
		}
	}
	return jsonDouble(token)
}

func jsonDouble(token string) usage.Value {
	// Beyond the range ParseFloat returns an infinity, which usage.Validate refuses.
	f, _ := strconv.ParseFloat(token, 64)
	return usage.DoubleValue(f)
}
