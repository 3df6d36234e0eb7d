package codec

import (
	"encoding/binary"
	"fmt"
	"math"
)

// The headers of output records.
const (
	HeaderSchema = "schema" // name of the value's schema, such as pql_event
	HeaderType   = "type"   // a fact's type, such as qualified, so that a consumer can skip without decoding
)

// output is how the values of one topic are written.
type output struct {
	json   bool
	prefix []byte // what precedes Avro binary
}

// newOutput checks a format. The schema's id matters to Avro only; AvroBody leaves the header out.
func newOutput(f Format, schemaID int) (output, error) {
	switch f {
	case JSON:
		return output{json: true}, nil
	case Avro:
		return output{prefix: binary.BigEndian.AppendUint32([]byte{0}, uint32(schemaID))}, nil
	case AvroBody:
		return output{}, nil
	}
	return output{}, fmt.Errorf("%q is not a format; those are %s, %s and %s", f, Avro, AvroBody, JSON)
}

// The wire forms of Avro. Its integers are zig-zag varints, as encoding/binary's.

func appendLong(b []byte, n int64) []byte { return binary.AppendVarint(b, n) }

func appendDouble(b []byte, f float64) []byte {
	return binary.LittleEndian.AppendUint64(b, math.Float64bits(f))
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendVarint(b, int64(len(s))), s...)
}

// appendCut is appendString of a text's first bytes, whole characters only.
func appendCut(b []byte, s string, limit int) []byte { return appendString(b, cut(s, limit)) }

// appendBytesOrNull writes the union of null and bytes; nil is null, an empty slice isn't.
func appendBytesOrNull(b, v []byte) []byte {
	if v == nil {
		return append(b, 0)
	}
	b = append(b, 2)
	return append(binary.AppendVarint(b, int64(len(v))), v...)
}

// appendMillisOrNull writes the union of null and timestamp; 0 is null.
func appendMillisOrNull(b []byte, ms int64) []byte {
	if ms == 0 {
		return append(b, 0)
	}
	return appendLong(append(b, 2), ms)
}

// appendBlock starts an array or map of n items: one block without a size. Its end is a zero, and so is an empty one.
func appendBlock(b []byte, n int) []byte {
	if n == 0 {
		return b
	}
	return appendLong(b, int64(n))
}

func appendBlockEnd(b []byte) []byte { return append(b, 0) }
