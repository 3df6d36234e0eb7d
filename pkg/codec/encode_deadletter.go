package codec

import (
	"encoding/base64"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
)

// DeadLetter is a record that could not be processed, with the reason.
type DeadLetter struct {
	Reason    string // short and stable: stream.Reject's code
	Message   string // what is wrong, naming the field
	Stage     string // which refused it
	Topic     string
	Partition int32
	Offset    int64
	Timestamp int64 // the record's own, ms since the Unix epoch, UTC
	FailedAt  int64 // ms since the Unix epoch, UTC: wall clock
	Key       []byte
	Headers   []kgo.RecordHeader
	Value     []byte
	Truncated bool // bytes were cut to make it fit; set by the encoder
}

const (
	// MinDeadLetterBytes is the smallest limit of a DeadLetterEncoder: what it takes to say where the record is.
	MinDeadLetterBytes = 64 << 10

	// DefaultDeadLetterBytes fits into what a broker takes by default, with room for key and headers.
	DefaultDeadLetterBytes = 900_000

	maxMessageBytes = 4096
	maxReasonBytes  = 64
)

// DeadLetterEncoder encodes dead letters, the values of pql.dead-letters (schemas/dead_letter.avsc).
type DeadLetterEncoder struct {
	output
	max int
}

// NewDeadLetterEncoder returns an encoder of dead letters of at most maxBytes, which is what the topic takes less some
// room for key and headers. It fails when there is no such format or maxBytes is below MinDeadLetterBytes.
func NewDeadLetterEncoder(f Format, schemaID, maxBytes int) (*DeadLetterEncoder, error) {
	o, err := newOutput(f, schemaID)
	if err != nil {
		return nil, fmt.Errorf("encoding dead letters: %w", err)
	}
	if maxBytes < MinDeadLetterBytes {
		return nil, fmt.Errorf("encoding dead letters: %d bytes are too few, at least %d", maxBytes, MinDeadLetterBytes)
	}
	return &DeadLetterEncoder{output: o, max: maxBytes}, nil
}

// AppendDeadLetter appends an encoded dead letter. A record that is too large for the limit is cut, and marked so: the
// key to a quarter of the limit, the headers by leaving out the last ones, the value to what is left. It would never
// get through otherwise, and a dead letter that can't be written holds up everything behind it.
func (enc *DeadLetterEncoder) AppendDeadLetter(b []byte, d *DeadLetter) []byte {
	c := enc.fit(d)
	if enc.json {
		return appendDeadLetterJSON(b, &c)
	}
	b = append(b, enc.prefix...)
	b = appendString(b, c.Reason)
	b = appendString(b, c.Message)
	b = appendString(b, c.Stage)
	b = appendString(b, c.Topic)
	b = appendLong(b, int64(c.Partition))
	b = appendLong(b, c.Offset)
	b = appendLong(b, c.Timestamp)
	b = appendLong(b, c.FailedAt)
	b = appendBytesOrNull(b, c.Key)
	b = appendBlock(b, len(c.Headers))
	for i := range c.Headers {
		b = appendString(b, c.Headers[i].Key)
		b = appendBytesOrNull(b, c.Headers[i].Value)
	}
	b = appendBlockEnd(b)
	b = appendBytesOrNull(b, c.Value)
	return appendBool(b, c.Truncated)
}

func appendDeadLetterJSON(b []byte, d *DeadLetter) []byte {
	o := openObject(b)
	o.str("reason", d.Reason)
	o.str("message", d.Message)
	o.str("stage", d.Stage)
	o.str("topic", d.Topic)
	o.long("partition", int64(d.Partition))
	o.long("offset", d.Offset)
	o.long("timestamp", d.Timestamp)
	o.long("failed_at", d.FailedAt)
	o.bytes("key", d.Key)
	o.openArray("headers")
	for i := range d.Headers {
		o.openItem()
		o.str("key", d.Headers[i].Key)
		o.bytes("value", d.Headers[i].Value)
		o.close()
	}
	o.closeArray()
	o.bytes("value", d.Value)
	o.bool("truncated", d.Truncated)
	return o.end()
}

// fit returns the dead letter cut to the limit. It spends from the limit the largest that each part can become, so
// what it keeps fits in any case.
func (enc *DeadLetterEncoder) fit(d *DeadLetter) DeadLetter {
	c := *d
	c.Reason = cut(d.Reason, maxReasonBytes)
	c.Message = cut(d.Message, maxMessageBytes)
	c.Stage = cut(d.Stage, maxReasonBytes)
	c.Topic = cut(d.Topic, maxIDBytes)
	// Names and numbers of fields take less than 1 KiB in either format.
	left := enc.max - 1024 - enc.textCost(c.Reason) - enc.textCost(c.Message) - enc.textCost(c.Stage) - enc.textCost(c.Topic)

	c.Key = enc.cutBytes(d.Key, min(left, enc.max/4))
	left -= enc.bytesCost(len(c.Key))
	valueCost := min(enc.bytesCost(len(d.Value)), enc.max/4) // kept free of headers, however many there are
	for i := range d.Headers {
		cost := enc.textCost(d.Headers[i].Key) + enc.bytesCost(len(d.Headers[i].Value))
		if cost > left-valueCost {
			c.Headers = d.Headers[:i]
			break
		}
		left -= cost
	}
	c.Value = enc.cutBytes(d.Value, left)
	c.Truncated = d.Truncated || len(c.Key) < len(d.Key) || len(c.Headers) < len(d.Headers) || len(c.Value) < len(d.Value)
	return c
}

// perField is more than what a field of a header takes besides its bytes: names, quotes, lengths, commas.
const perField = 16

// textCost is the most that a text can take.
func (enc *DeadLetterEncoder) textCost(s string) int {
	if enc.json {
		return perField + 6*len(s) // each byte a \u0000
	}
	return perField + len(s)
}

// bytesCost is the most that n bytes can take.
func (enc *DeadLetterEncoder) bytesCost(n int) int {
	if enc.json {
		n = base64.StdEncoding.EncodedLen(n)
	}
	return perField + n
}

// cutBytes returns the first bytes of v, as many as take at most cost.
func (enc *DeadLetterEncoder) cutBytes(v []byte, cost int) []byte {
	if enc.bytesCost(len(v)) <= cost {
		return v
	}
	n := max(cost-perField, 0)
	if enc.json {
		n = n / 4 * 3
	}
	return v[:min(n, len(v))]
}
