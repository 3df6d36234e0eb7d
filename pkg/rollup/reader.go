package rollup

import "encoding/binary"

// reader takes encodings of this package apart: varints as short as they can be, zigzag where they have a sign, and texts
// with their length before them. After the first thing wrong it is bad and reads zeros and empty texts.
type reader struct {
	b   string // what texts read alias
	at  int    // what is read next
	bad bool
}

func (r *reader) fail() { r.at, r.bad = len(r.b), true }

func (r *reader) more() bool { return r.at < len(r.b) }

func (r *reader) byte() byte {
	if r.at >= len(r.b) {
		r.fail()
		return 0
	}
	r.at++
	return r.b[r.at-1]
}

func (r *reader) uint() uint64 {
	if r.at < len(r.b) && r.b[r.at] < 0x80 { // most are
		r.at++
		return uint64(r.b[r.at-1])
	}
	var v uint64
	for shift := 0; shift < 64; shift += 7 {
		c := r.byte()
		v |= uint64(c&0x7f) << shift
		if c >= 0x80 {
			continue
		}
		if shift == 63 && c > 1 || shift > 0 && c == 0 {
			r.fail()
		}
		if r.bad {
			return 0
		}
		return v
	}
	r.fail()
	return 0
}

func (r *reader) int() int64 {
	v := r.uint()
	return int64(v>>1) ^ -int64(v&1)
}

// below reads a number from 0 to below a limit.
func (r *reader) below(limit int) int {
	v := r.uint()
	if v >= uint64(limit) {
		r.fail()
		return 0
	}
	return int(v)
}

// count reads how many items follow, each of at least a byte.
func (r *reader) count() int {
	v := r.uint()
	if v > uint64(len(r.b)-r.at) {
		r.fail()
		return 0
	}
	return int(v)
}

func (r *reader) text() string {
	n := r.count()
	r.at += n
	return r.b[r.at-n : r.at]
}

func appendUint(b []byte, v uint64) []byte { return binary.AppendUvarint(b, v) }

func appendInt(b []byte, v int64) []byte { return binary.AppendVarint(b, v) }

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}
