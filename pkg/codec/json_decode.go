package codec

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

// decodeJSON reads a record that is a JSON object. The whole of it must be valid, also what nobody wants.
func decodeJSON(value []byte, s *sink) error {
	if !utf8.Valid(value) {
		return undecodableJSON(errors.New("it is not valid UTF-8"))
	}
	if !json.Valid(value) {
		var raw json.RawMessage
		return undecodableJSON(json.Unmarshal(value, &raw))
	}
	r := jsonReader{jsonScanner: jsonScanner{b: value}, sink: s}
	if r.peek() != '{' {
		return undecodableJSON(errors.New("it is not an object"))
	}
	return r.object(s.plan.root)
}

func undecodableJSON(err error) *usage.Error {
	return &usage.Error{Code: usage.CodeUndecodable, Err: fmt.Errorf("reading JSON: %w", err)}
}

// jsonReader reads what is wanted from a valid JSON document into a sink.
type jsonReader struct {
	jsonScanner
	sink *sink
}

// object reads the members that are wanted; of equal names the last wins.
func (r *jsonReader) object(w *want) error {
	for more := r.open(); more; more = r.next() {
		below := w.below[r.name()]
		if below == nil {
			r.skip()
			continue
		}
		r.sink.clear(below)
		if err := r.value(below); err != nil {
			return err
		}
	}
	return nil
}

// value reads a value once for each of those that want it.
func (r *jsonReader) value(w *want) error {
	start := r.pos
	for _, t := range w.targets {
		r.pos = start
		if err := r.target(t); err != nil {
			return err
		}
	}
	if len(w.below) == 0 {
		return nil
	}
	r.pos = start
	if r.peek() == '{' {
		return r.object(w)
	}
	r.skip()
	return nil
}

func (r *jsonReader) target(t target) error {
	if t.field == fieldProperties {
		return r.properties()
	}
	kind := r.peek()
	token := r.token()
	v, err := r.convert(t, kind, token)
	if err != nil {
		return err
	}
	r.sink.put(t, v)
	return nil
}

// convert makes a token what a target takes. null is the same as none, except for a property.
func (r *jsonReader) convert(t target, kind byte, token string) (usage.Value, error) {
	switch {
	case kind == 'n':
		return usage.Value{}, nil
	case t.field == fieldSingle:
		return r.property(r.sink.plan.singles[t.single], kind, token)
	case t.field == fieldQuantity && isNumber(kind):
		return jsonDouble(token), nil
	case t.field == fieldOccurredAt || t.field == fieldReceivedAt:
		return r.moment(t, kind, token)
	case kind == '"' && t.field != fieldQuantity:
		return usage.StringValue(unquote(token)), nil
	}
	return usage.Value{}, r.wrongType(t, kind)
}

// moment reads ms since the Unix epoch or an RFC 3339 string, rounding down.
func (r *jsonReader) moment(t target, kind byte, token string) (usage.Value, error) {
	name := r.sink.plan.name(t)
	switch {
	case kind == '"':
		at, err := time.Parse(time.RFC3339, unquote(token))
		if err != nil {
			return usage.Value{}, &usage.Error{Code: usage.WrongType(name), Field: name, Err: errors.New("is a string, but not an RFC 3339 time")}
		}
		return usage.LongValue(at.UnixMilli()), nil
	case isNumber(kind):
		v := jsonNumber(token)
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

// properties reads an object whose every member is a property.
func (r *jsonReader) properties() error {
	switch r.peek() {
	case '{':
	case 'n':
		r.skip()
		return nil
	default:
		return r.wrongType(target{field: fieldProperties}, r.peek())
	}
	n := 0
	for more := r.open(); more; more = r.next() {
		// Repeated names count too, so that they can't make it long.
		if n++; n > usage.MaxProperties {
			return usage.TooManyProperties()
		}
		key := r.name()
		kind := r.peek()
		v, err := r.property(key, kind, r.token())
		if err != nil {
			return err
		}
		if err := r.sink.property(key, v); err != nil {
			return err
		}
	}
	return nil
}

func (r *jsonReader) property(key string, kind byte, token string) (usage.Value, error) {
	switch {
	case kind == '"':
		return usage.StringValue(unquote(token)), nil
	case isNumber(kind):
		return jsonNumber(token), nil
	case kind == 't' || kind == 'f':
		return usage.BoolValue(kind == 't'), nil
	case kind == 'n':
		return usage.Value{}, nil
	}
	return usage.Value{}, &usage.Error{Code: usage.CodePropertyWrongType, Field: usage.PropertyField(key), Err: wrongJSON(kind)}
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

// jsonNumber is a Long when the number is written as an integer and fits, else a Double, infinite when it is too large.
func jsonNumber(token string) usage.Value {
	if !strings.ContainsAny(token, ".eE") {
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
