package report

import (
	"encoding/binary"
	"math"

	"github.com/pqlstream/pqlstream/pkg/rollup"
)

// What a row says beyond its key lies packed in a text: the last version of a row in memory is small, and need not be taken apart
// unless it is asked for. A byte of flags comes first, then a bit for each packed column that is known, then the columns.
const (
	packedClosed = 1 << iota
	packedMature
)

// packed are the columns that are packed: those that neither the key nor the flags have.
var packed = func() (list []rollup.Column) {
	for _, c := range rollup.Columns {
		switch c.Name {
		case "metric", "detail", "unit", "window_start", "zone", "grouping", "group", "closed", "mature":
		default:
			list = append(list, c)
		}
	}
	return list
}()

// knownBytes is how many bytes the bits of columns take.
var knownBytes = (len(packed) + 7) / 8

// appendPacked appends a row without its key.
func appendPacked(b []byte, r *rollup.Row) []byte {
	flags := byte(0)
	if r.Closed {
		flags |= packedClosed
	}
	if r.Mature {
		flags |= packedMature
	}
	b = append(b, flags)
	known := len(b)
	b = append(b, make([]byte, knownBytes)...)
	for i := range packed {
		before := len(b)
		b = appendColumn(b, packed[i].Of(r))
		if len(b) > before {
			b[known+i/8] |= 1 << (i % 8)
		}
	}
	return b
}

// appendColumn appends nothing for what is unknown.
func appendColumn(b []byte, value any) []byte {
	switch v := value.(type) {
	case *string:
		if *v != "" {
			b = append(binary.AppendUvarint(b, uint64(len(*v))), *v...)
		}
	case *[]byte:
		if *v != nil {
			b = append(binary.AppendUvarint(b, uint64(len(*v))), *v...)
		}
	case *int64:
		b = binary.AppendVarint(b, *v)
	case *rollup.Null[int64]:
		if v.Known {
			b = binary.AppendVarint(b, v.Value)
		}
	case *rollup.Null[float64]:
		if v.Known {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v.Value))
		}
	}
	return b
}

// unpack fills in what appendPacked has written of a row.
func unpack(text string, r *rollup.Row) {
	r.Closed, r.Mature = text[0]&packedClosed != 0, text[0]&packedMature != 0
	known, b := text[1:1+knownBytes], []byte(text[1+knownBytes:])
	for i := range packed {
		if known[i/8]&(1<<(i%8)) != 0 {
			b = takeColumn(b, packed[i].Of(r))
		}
	}
}

func takeColumn(b []byte, to any) (rest []byte) {
	size, n := 0, 0 // of what is behind the length, and of the length
	switch to := to.(type) {
	case *string:
		size, n = length(b)
		*to = string(b[n : n+size])
	case *[]byte:
		size, n = length(b)
		*to = b[n : n+size : n+size]
	case *int64:
		*to, n = binary.Varint(b)
	case *rollup.Null[int64]:
		to.Value, n = binary.Varint(b)
		to.Known = true
	case *rollup.Null[float64]:
		*to, size = rollup.Null[float64]{Value: math.Float64frombits(binary.LittleEndian.Uint64(b)), Known: true}, 8
	}
	return b[n+size:]
}

func length(b []byte) (size, n int) {
	u, n := binary.Uvarint(b)
	return int(u), n
}
