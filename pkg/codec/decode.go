// Package codec reads usage events from Avro and JSON, whatever schema they were written with, and writes what pqlstream
// publishes.
package codec

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

// Format is how the records of a source topic are encoded.
type Format string

// The formats of source topics.
const (
	Avro     Format = "avro"      // Avro in the registry wire format: a zero byte, the schema's id (4 bytes, big-endian), the body
	AvroBody Format = "avro-body" // Avro without a header, written with the source's DefaultSchema
	JSON     Format = "json"      // one JSON object a record
)

// Input is how the records of one source topic are read. It is shared by the topic's Decoders, and safe for them to use
// concurrently.
type Input struct {
	format Format
	plan   *plan
	source SchemaSource

	mu       sync.Mutex
	compiled map[int]*compiled // by schema id
}

// compiled is what became of a writer schema: its programs, or why there are none. They never change, since a schema id
// means the same schema for ever.
type compiled struct {
	all  program // what Decode reads
	core program // what DecodeCore reads
	err  *usage.Error
}

// NewInput returns the way to read records of a format under a mapping. JSON needs no source.
func NewInput(format Format, mapping usage.Mapping, source SchemaSource) (*Input, error) {
	if err := mapping.Validate(); err != nil {
		return nil, fmt.Errorf("mapping the source's fields: %w", err)
	}
	switch format {
	case JSON:
	case Avro:
		if source == nil {
			return nil, errors.New("avro needs a schema registry or a folder of schemas")
		}
	case AvroBody:
		if _, ok := source.(defaultSource); !ok {
			return nil, errors.New("avro-body needs a folder of schemas with " + defaultSchemaFile)
		}
	default:
		return nil, fmt.Errorf("%q is not a format; those are %s, %s and %s", format, Avro, AvroBody, JSON)
	}
	return &Input{format: format, plan: newPlan(mapping), source: source, compiled: map[int]*compiled{}}, nil
}

// Decoder reads records one after the other. It is not safe for concurrent use: each task has its own.
type Decoder struct {
	input   *Input
	sink    sink
	json    jsonReader
	body    []byte            // of the Avro record that Properties reads from
	schemas map[int]*compiled // those of input that this decoder has met, to take no lock

	last       *compiled // of the record before, which most often is of the same schema
	lastHeader [headerSize]byte
}

// Decoder returns a new decoder of the input's records.
func (in *Input) Decoder() *Decoder {
	singles := len(in.plan.singles)
	return &Decoder{
		input:   in,
		sink:    sink{plan: in.plan, single: make([]singleValue, singles), later: make([]later, 1+singles)},
		schemas: map[int]*compiled{},
	}
}

// Decode reads a record into an event, whose strings alias value, and whose slice of properties is reused. It checks
// what it must to read on, not more: usage.Validate says whether the event is a sensible one. ReceivedAt is 0 unless
// the mapping has it.
//
// What is wrong with a record for good comes as a *usage.Error. An error that wraps ErrUnavailable says that the
// writer's schema can't be had now; the same call may succeed later. After an error the event holds anything.
func (d *Decoder) Decode(ctx context.Context, value []byte, into *usage.Event) error {
	d.sink.reset(into)
	if err := d.decode(ctx, value, false); err != nil {
		return err
	}
	return d.sink.finish()
}

// DecodeCore is Decode for those who judge by an event's name whether they want its properties, and who have no use for
// its source and when it was received. It leaves these empty. Properties then reads those that are wanted.
//
// Nobody looks at what is left out: the record must be well-formed there as far as it takes to read the rest of it, and
// the writer's schema must fit the mapping as ever, but a value may be of a wrong type, not UTF-8, too long, or one
// property of too many.
func (d *Decoder) DecodeCore(ctx context.Context, value []byte, into *usage.Event) error {
	d.sink.reset(into)
	return d.decode(ctx, value, true)
}

// Properties reads the properties that are wanted of the record that DecodeCore has just read, into the same event. The
// record must not have been changed since. Its errors are Decode's.
func (d *Decoder) Properties(wanted *usage.Selection) error {
	if d.sink.only = wanted; wanted.All {
		d.sink.only = nil
	}
	for slot := range d.sink.later {
		if slot > 0 && !wanted.Has(d.sink.plan.singles[slot-1]) {
			continue
		}
		if err := d.readLater(slot); err != nil {
			return err
		}
	}
	return d.sink.finish()
}

func (d *Decoder) readLater(slot int) error {
	l := d.sink.later[slot]
	switch {
	case !l.noted:
		return nil
	case d.input.format == JSON:
		return d.json.readLater(l.from, slot)
	}
	return runAvroAt(l.op.programs[0], d.body, l.from, &d.sink)
}

func (d *Decoder) decode(ctx context.Context, value []byte, core bool) error {
	if d.input.format == JSON {
		return d.json.decode(value, &d.sink, core)
	}
	if !d.sameSchema(value) {
		if err := d.schema(ctx, value); err != nil {
			return err
		}
	}
	if d.last.err != nil {
		return d.last.err
	}
	if d.body = value; d.input.format == Avro {
		d.body = value[headerSize:]
	}
	if core {
		return runAvro(d.last.core, d.body, &d.sink)
	}
	return runAvro(d.last.all, d.body, &d.sink)
}

// sameSchema says whether a record is of the same schema as the one before.
func (d *Decoder) sameSchema(value []byte) bool {
	return d.last != nil && (d.input.format == AvroBody || len(value) >= headerSize && [headerSize]byte(value) == d.lastHeader)
}

// schema makes a record's writer schema the last.
func (d *Decoder) schema(ctx context.Context, value []byte) error {
	d.last = nil
	id := bodySchemaID
	if d.input.format == Avro {
		var err error
		if id, err = schemaID(value); err != nil {
			return err
		}
		d.lastHeader = [headerSize]byte(value)
	}
	c := d.schemas[id]
	if c == nil {
		var err error
		if c, err = d.input.schema(ctx, id); err != nil {
			return err
		}
		d.schemas[id] = c
	}
	d.last = c
	return nil
}

// schema returns what became of a writer schema. Two decoders that meet a new one at the same time both fetch it: no
// lock is held while a registry is asked.
func (in *Input) schema(ctx context.Context, id int) (*compiled, error) {
	in.mu.Lock()
	c := in.compiled[id]
	in.mu.Unlock()
	if c != nil {
		return c, nil
	}
	text, err := in.fetch(ctx, id)
	if err != nil {
		return nil, schemaError(id, err)
	}
	c = compileSchema(text, schemaName(id), in.plan)
	in.mu.Lock()
	in.compiled[id] = c
	in.mu.Unlock()
	return c, nil
}

func (in *Input) fetch(ctx context.Context, id int) (string, error) {
	if id == bodySchemaID {
		return in.source.(defaultSource).DefaultSchema(ctx)
	}
	return in.source.Schema(ctx, id)
}

// schemaError tells a schema that nobody has from a source that is out of reach.
func schemaError(id int, err error) error {
	err = fmt.Errorf("fetching %s: %w", schemaName(id), err)
	switch {
	case errors.Is(err, ErrUnknownSchema):
		return &usage.Error{Code: usage.CodeUnknownSchema, Err: err}
	case errors.Is(err, ErrBadSchema):
		return &usage.Error{Code: usage.CodeBadSchema, Err: err}
	case errors.Is(err, ErrUnavailable):
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

func schemaName(id int) string {
	if id == bodySchemaID {
		return "the default schema"
	}
	return fmt.Sprintf("schema %d", id)
}
