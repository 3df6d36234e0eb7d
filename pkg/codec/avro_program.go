package codec

import (
	"errors"
	"fmt"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

// program reads a record of one writer schema: what the mapping wants into a sink, passing over the rest. A program that
// is not empty reads at least a byte or fails, which bounds its work by the record's length.
type program []op

type opcode uint8

const (
	opSkip       opcode = iota // n bytes
	opSkipLong                 // an int, long or enum
	opSkipText                 // a string or bytes
	opSkipBlocks               // an array or map, whose items are program
	opCall                     // program, which others call as well
	opUnion                    // one of programs
	opEach                     // each of programs, from the same place
	opText                     // a string for target
	opLeaf                     // a value for target
	opProperty                 // a value for the property key
	opProperties               // a map, each value of which is a property
	opMap                      // a map, some entries of which are wanted; program passes over the others
	opReject                   // a branch that the target can't have
)

type op struct {
	code     opcode
	n        int
	target   target
	key      string
	leaf     leaf
	program  *program
	programs []program
	entries  map[string]mapEntry
	reject   *usage.Error
}

// mapEntry reads a map's entry that is wanted.
type mapEntry struct {
	program program
	want    *want
}

// maxDepth is how deeply a record may be nested. It bounds the stack that a hostile record can take.
const maxDepth = 1000

// avroRun is a program at work on one record.
type avroRun struct {
	avroReader
	sink  *sink
	depth int
}

// runAvro reads a record's body.
func runAvro(p program, body []byte, s *sink) error {
	run := avroRun{avroReader: avroReader{b: body}, sink: s}
	err := run.run(p)
	if err == nil && run.pos < len(body) {
		err = errTrailing
	}
	if err == nil {
		return nil
	}
	var reject *usage.Error
	if errors.As(err, &reject) {
		return err
	}
	return &usage.Error{Code: usage.CodeUndecodable, Err: fmt.Errorf("reading Avro at byte %d of %d: %w", run.pos, len(body), err)}
}

func (r *avroRun) run(p program) error {
	if r.depth++; r.depth > maxDepth {
		return errDepth
	}
	for i := range p {
		if err := r.step(&p[i]); err != nil {
			return err
		}
	}
	r.depth--
	return nil
}

func (r *avroRun) step(o *op) error {
	switch o.code {
	case opText:
		s, err := r.text()
		r.sink.putText(o.target.field, s)
		return err
	case opLeaf:
		v, err := o.leaf.read(&r.avroReader)
		r.sink.put(o.target, v)
		return err
	case opProperties:
		return r.properties(&o.leaf)
	case opProperty:
		v, err := o.leaf.read(&r.avroReader)
		if err != nil {
			return err
		}
		return r.sink.property(o.key, v)
	case opSkip:
		return r.skip(o.n)
	case opSkipLong:
		return r.skipLong()
	case opSkipText:
		return r.skipText()
	case opSkipBlocks:
		return r.skipBlocks(*o.program)
	case opCall:
		return r.run(*o.program)
	case opUnion:
		i, err := r.index(len(o.programs), errBranch)
		if err != nil {
			return err
		}
		return r.run(o.programs[i])
	case opEach:
		return r.each(o.programs)
	case opMap:
		return r.mapEntries(o)
	}
	return o.reject
}

// each reads the same value once for each of those that want it.
func (r *avroRun) each(programs []program) error {
	start := r.pos
	for _, p := range programs {
		r.pos = start
		if err := r.run(p); err != nil {
			return err
		}
	}
	return nil
}

// skipBlocks passes over an array or a map; over a whole block at once where the writer says how long it is.
func (r *avroRun) skipBlocks(item program) error {
	for {
		count, end, err := r.block()
		if err != nil || count == 0 {
			return err
		}
		if end >= 0 {
			r.pos = end
			continue
		}
		if len(item) == 0 {
			continue
		}
		for ; count > 0; count-- {
			if err := r.run(item); err != nil {
				return err
			}
		}
	}
}

// properties reads a map whose every entry is a property.
func (r *avroRun) properties(values *leaf) error {
	total := int64(0)
	for {
		count, end, err := r.block()
		if err != nil || count == 0 {
			return err
		}
		if total += count; total < count || total > usage.MaxProperties {
			return usage.TooManyProperties()
		}
		for ; count > 0; count-- {
			key, err := r.text()
			if err != nil {
				return err
			}
			v, err := values.read(&r.avroReader)
			if err != nil {
				return err
			}
			if err := r.sink.property(key, v); err != nil {
				return err
			}
		}
		if end >= 0 && r.pos != end {
			return errBlock
		}
	}
}

// mapEntries reads the wanted entries of a map; of equal keys the last wins.
func (r *avroRun) mapEntries(o *op) error {
	for {
		count, end, err := r.block()
		if err != nil || count == 0 {
			return err
		}
		for ; count > 0; count-- {
			if err := r.mapEntry(o); err != nil {
				return err
			}
		}
		if end >= 0 && r.pos != end {
			return errBlock
		}
	}
}

func (r *avroRun) mapEntry(o *op) error {
	key, err := r.text()
	if err != nil {
		return err
	}
	entry, ok := o.entries[key]
	if !ok {
		return r.run(*o.program)
	}
	r.sink.clear(entry.want)
	return r.run(entry.program)
}
