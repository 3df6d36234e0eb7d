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
	opSkipTexts                // an array or map, whose items are n strings or bytes each
	opSkipBlocks               // an array or map, whose items are program
	opCall                     // program, which others call as well
	opUnion                    // one of programs
	opEach                     // each of programs, from the same place
	opEventID                  // a string
	opAccountID                // a string
	opUserID                   // a string
	opEvent                    // a string
	opSource                   // a string
	opOccurredAt               // a long
	opQuantity                 // a double
	opLeaf                     // a value for target
	opProperty                 // a value for the property key; program passes over it
	opProperties               // a map, each value of which is a property; program passes over a value
	opLater                    // what programs[0] reads for target later on; program passes over it
	opMap                      // a map, some entries of which are wanted; program passes over the others
	opReject                   // a branch that the target can't have
)

type op struct {
	code     opcode
	n        int
	target   target
	key      string
	leaf     *leaf
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
	if err == nil {
		if run.pos == len(body) {
			return nil
		}
		err = errTrailing
	}
	return run.explain(err)
}

// runAvroAt reads what lies at a position of a record that was read before.
func runAvroAt(p program, body []byte, from int, s *sink) error {
	run := avroRun{avroReader: avroReader{b: body, pos: from}, sink: s}
	if err := run.run(p); err != nil {
		return run.explain(err)
	}
	return nil
}

// explain says where in the record the bytes are wrong.
func (r *avroRun) explain(err error) error {
	if _, isReject := errors.AsType[*usage.Error](err); isReject {
		return err
	}
	return &usage.Error{Code: usage.CodeUndecodable, Err: fmt.Errorf("reading Avro at byte %d of %d: %w", r.pos, len(r.b), err)}
}

// run holds what most records are made of; the rest is step's.
func (r *avroRun) run(p program) (err error) {
	if r.depth++; r.depth > maxDepth {
		return errDepth
	}
	event := r.sink.event
	for i := range p {
		o := &p[i]
		switch o.code {
		case opEventID:
			event.ID, err = r.text()
		case opAccountID:
			event.AccountID, err = r.text()
		case opUserID:
			event.UserID, err = r.text()
		case opEvent:
			event.Name, err = r.text()
		case opOccurredAt:
			event.OccurredAt, err = r.long()
		case opQuantity:
			event.Quantity, err = r.double()
		case opSkipText:
			err = r.skipText()
		case opSkipTexts:
			err = r.skipTexts(o.n)
		case opSkip:
			err = r.skip(o.n)
		case opUnion:
			err = r.union(o)
		case opLater:
			r.sink.later[o.target.slot()] = later{true, r.pos, o}
			err = r.run(*o.program)
		default:
			err = r.step(o)
		}
		if err != nil {
			return err
		}
	}
	r.depth--
	return nil
}

func (r *avroRun) step(o *op) (err error) {
	switch o.code {
	case opSource:
		r.sink.event.Source, err = r.text()
		return err
	case opLeaf:
		v, err := o.leaf.read(&r.avroReader)
		r.sink.put(o.target, v)
		return err
	case opProperties:
		return r.properties(o)
	case opProperty:
		return r.property(o)
	case opSkipLong:
		return r.skipLong()
	case opSkipBlocks:
		return r.skipBlocks(*o.program)
	case opCall:
		return r.run(*o.program)
	case opEach:
		return r.each(o.programs)
	case opMap:
		return r.mapEntries(o)
	}
	return o.reject
}

func (r *avroRun) union(o *op) error {
	i, err := r.index(len(o.programs), errBranch)
	if err != nil {
		return err
	}
	switch p := o.programs[i]; {
	case len(p) == 0:
		return nil
	case len(p) == 1 && p[0].code == opSkipText:
		return r.skipText()
	default:
		return r.run(p)
	}
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

// skipTexts passes over an array or a map whose items are n texts each.
func (r *avroRun) skipTexts(n int) error {
	for {
		count, end, err := r.block()
		if err != nil || count == 0 {
			return err
		}
		if end >= 0 {
			r.pos = end
			continue
		}
		if count > int64(len(r.b)-r.pos) { // each text has a byte at least; so count*n can't overflow
			return errTruncated
		}
		b, pos := r.b, r.pos // in registers
		for count *= int64(n); count > 0; count-- {
			if pos < len(b) && b[pos]&0x81 == 0 && int(b[pos]>>1) < len(b)-pos { // as in skipText
				pos += 1 + int(b[pos]>>1)
				continue
			}
			r.pos = pos
			if err := r.skipText(); err != nil {
				return err
			}
			pos = r.pos
		}
		r.pos = pos
	}
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

// property reads a field of a record that is a property, if it is chosen.
func (r *avroRun) property(o *op) error {
	if only := r.sink.only; only != nil && !only.Has(o.key) {
		return r.run(*o.program)
	}
	return r.entry(o.key, o.leaf)
}

// properties reads a map whose every entry is a property: those that are chosen, passing over the values of the others.
func (r *avroRun) properties(o *op) error {
	total, only := int64(0), r.sink.only
	for {
		count, end, err := r.block()
		if err != nil || count == 0 {
			return err
		}
		if total += count; only == nil && (total < count || total > usage.MaxProperties) {
			return usage.TooManyProperties()
		}
		for ; count > 0; count-- {
			key, err := r.text()
			if err != nil {
				return err
			}
			if only != nil && !only.Has(key) {
				err = r.run(*o.program)
			} else {
				err = r.entry(key, o.leaf)
			}
			if err != nil {
				return err
			}
		}
		if end >= 0 && r.pos != end {
			return errBlock
		}
	}
}

func (r *avroRun) entry(key string, values *leaf) error {
	v, err := values.read(&r.avroReader)
	if err != nil {
		return err
	}
	return r.sink.property(key, v)
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
