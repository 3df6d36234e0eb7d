package codec

import (
	"fmt"
	"math"
	"strconv"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

// EventEncoder encodes canonical usage events, the values of pql.usage (schemas/usage_event.avsc).
type EventEncoder struct{ output }

// NewEventEncoder returns an encoder, or an error when there is no such format. The schema's id matters to Avro only; with
// AvroBody nothing precedes the binary.
func NewEventEncoder(f Format, schemaID int) (*EventEncoder, error) {
	o, err := newOutput(f, schemaID)
	if err != nil {
		return nil, fmt.Errorf("encoding usage events: %w", err)
	}
	return &EventEncoder{o}, nil
}

// AppendUsage appends an encoded event. It allocates nothing when b has room. Strings are written as they are: that they
// are UTF-8, and property keys distinct, is the decoder's business. In JSON a double always has a point or an exponent,
// so that it stays a double; infinite ones become null.
func (enc *EventEncoder) AppendUsage(b []byte, e *usage.Event) []byte {
	if enc.json {
		return appendUsageJSON(b, e)
	}
	b = append(b, enc.prefix...)
	b = appendString(b, e.ID)
	b = appendString(b, e.AccountID)
	b = appendString(b, e.UserID)
	b = appendString(b, e.Name)
	b = appendLong(b, e.OccurredAt)
	b = appendProperties(b, e.Properties, uncut, uncut)
	b = appendDouble(b, e.Quantity)
	b = appendString(b, e.Source)
	return appendLong(b, e.ReceivedAt)
}

func appendUsageJSON(b []byte, e *usage.Event) []byte {
	o := openObject(b)
	o.str("event_id", e.ID)
	o.str("account_id", e.AccountID)
	o.str("user_id", e.UserID)
	o.str("event", e.Name)
	o.long("occurred_at", e.OccurredAt)
	o.properties("properties", e.Properties, uncut, uncut)
	o.double("quantity", e.Quantity)
	o.str("source", e.Source)
	o.long("received_at", e.ReceivedAt)
	return o.end()
}

// uncut is the limit of texts that go out whole: an event's, which its decoder has checked.
const uncut = math.MaxInt

// appendProperties writes a map to the union of null, boolean, long, double and string, with keys and texts cut.
func appendProperties(b []byte, ps []usage.Property, keyLimit, textLimit int) []byte {
	b = appendBlock(b, len(ps))
	for i := range ps {
		b = appendCut(b, ps[i].Key, keyLimit)
		v := ps[i].Value
		switch v.Kind() {
		case usage.Bool:
			b = appendBool(append(b, 1<<1), v.Bool())
		case usage.Long:
			b = appendLong(append(b, 2<<1), v.Long())
		case usage.Double:
			b = appendDouble(append(b, 3<<1), v.Double())
		case usage.String:
			b = appendCut(append(b, 4<<1), v.Str(), textLimit)
		default:
			b = append(b, 0)
		}
	}
	return appendBlockEnd(b)
}

func (o *jsonObject) properties(name string, ps []usage.Property, keyLimit, textLimit int) {
	o.name(name)
	o.b = append(o.b, '{')
	for i := range ps {
		if i > 0 {
			o.b = append(o.b, ',')
		}
		o.b = appendJSONString(o.b, cut(ps[i].Key, keyLimit))
		o.b = append(o.b, ':')
		o.b = appendJSONValue(o.b, ps[i].Value, textLimit)
	}
	o.b = append(o.b, '}')
}

func appendJSONValue(b []byte, v usage.Value, textLimit int) []byte {
	switch v.Kind() {
	case usage.Bool:
		return strconv.AppendBool(b, v.Bool())
	case usage.Long:
		return strconv.AppendInt(b, v.Long(), 10)
	case usage.Double:
		return appendJSONDouble(b, v.Double())
	case usage.String:
		return appendJSONString(b, cut(v.Str(), textLimit))
	}
	return append(b, "null"...)
}
