package codec

import (
	"encoding/binary"
	"errors"
	"math"
	"math/bits"
	"unsafe"
)

// What can be wrong with the bytes of a record.
var (
	errTruncated = errors.New("the record ends too early")
	errTrailing  = errors.New("bytes are left after the end of the record")
	errVarint    = errors.New("a number has too many bytes")
	errInt       = errors.New("an int has more than 32 bits")
	errBool      = errors.New("a boolean is neither 0 nor 1")
	errLength    = errors.New("a length is negative or beyond the end of the record")
	errBlock     = errors.New("a block's size is not that of its items")
	errBranch    = errors.New("a union has no such branch")
	errSymbol    = errors.New("an enum has no such symbol")
	errDepth     = errors.New("the record is nested too deeply")
)

// avroReader reads Avro's binary encoding. It trusts no length: nothing is read beyond the end, nothing allocated.
type avroReader struct {
	b   []byte
	pos int
}

// long reads an int or a long.
func (r *avroReader) long() (int64, error) {
	if r.pos < len(r.b) {
		if c := r.b[r.pos]; c < 0x80 {
			r.pos++
			return int64(c>>1) ^ -int64(c&1), nil
		}
	}
	return r.longLong()
}

// longLong reads one of several bytes.
func (r *avroReader) longLong() (int64, error) {
	if len(r.b)-r.pos < 8 {
		return r.longAtEnd()
	}
	w := binary.LittleEndian.Uint64(r.b[r.pos:])
	last := ^w & highs // the highest bit of the last byte is the lowest of these
	if last == 0 {
		return r.longAtEnd()
	}
	bit := bits.TrailingZeros64(last)
	r.pos += bit/8 + 1
	// Without what follows, and 7 bits of each byte moved together: by twos, fours, and all.
	w &= 0x7f7f7f7f7f7f7f7f & (1<<bit - 1)
	w = w&0x007f007f007f007f | w&0x7f007f007f007f00>>1
	w = w&0x00003fff00003fff | w&0x3fff00003fff0000>>2
	w = w&0x000000000fffffff | w&0x0fffffff00000000>>4
	return int64(w>>1) ^ -int64(w&1), nil
}

// longAtEnd reads any.
func (r *avroReader) longAtEnd() (int64, error) {
	u, n := binary.Uvarint(r.b[r.pos:])
	if n <= 0 {
		if n == 0 {
			return 0, errTruncated
		}
		return 0, errVarint
	}
	r.pos += n
	return int64(u>>1) ^ -int64(u&1), nil
}

func (r *avroReader) int() (int64, error) {
	n, err := r.long()
	if err == nil && int64(int32(n)) != n {
		err = errInt
	}
	return n, err
}

func (r *avroReader) bool() (bool, error) {
	if r.pos >= len(r.b) {
		return false, errTruncated
	}
	c := r.b[r.pos]
	r.pos++
	if c > 1 {
		return false, errBool
	}
	return c == 1, nil
}

func (r *avroReader) float() (float64, error) {
	if len(r.b)-r.pos < 4 {
		return 0, errTruncated
	}
	u := binary.LittleEndian.Uint32(r.b[r.pos:])
	r.pos += 4
	return float64(math.Float32frombits(u)), nil
}

func (r *avroReader) double() (float64, error) {
	if len(r.b)-r.pos < 8 {
		return 0, errTruncated
	}
	u := binary.LittleEndian.Uint64(r.b[r.pos:])
	r.pos += 8
	return math.Float64frombits(u), nil
}

// text reads a string or bytes; it aliases the record.
func (r *avroReader) text() (string, error) {
	if r.pos < len(r.b) {
		if c := r.b[r.pos]; c&0x81 == 0 { // at most 63 bytes, not a negative number of them
			start := r.pos + 1
			if end := start + int(c>>1); end <= len(r.b) {
				r.pos = end
				return unsafe.String(unsafe.SliceData(r.b[start:]), end-start), nil
			}
		}
	}
	return r.longText()
}

func (r *avroReader) longText() (string, error) {
	n, err := r.length()
	if err != nil {
		return "", err
	}
	s := unsafe.String(unsafe.SliceData(r.b[r.pos:]), n)
	r.pos += n
	return s, nil
}

// fixed reads n bytes; they alias the record.
func (r *avroReader) fixed(n int) ([]byte, error) {
	if n > len(r.b)-r.pos {
		return nil, errTruncated
	}
	b := r.b[r.pos : r.pos+n]
	r.pos += n
	return b, nil
}

// length reads a number of bytes that are there.
func (r *avroReader) length() (int, error) {
	n, err := r.long()
	if err != nil {
		return 0, err
	}
	if n < 0 || n > int64(len(r.b)-r.pos) {
		return 0, errLength
	}
	return int(n), nil
}

// skip passes over n bytes.
func (r *avroReader) skip(n int) error {
	if n > len(r.b)-r.pos {
		return errTruncated
	}
	r.pos += n
	return nil
}

// skipLong passes over an int or a long.
func (r *avroReader) skipLong() error {
	_, err := r.long()
	return err
}

// skipText passes over a string or bytes.
func (r *avroReader) skipText() error {
	if r.pos < len(r.b) {
		if c := r.b[r.pos]; c&0x81 == 0 && int(c>>1) < len(r.b)-r.pos {
			r.pos += 1 + int(c>>1)
			return nil
		}
	}
	n, err := r.length()
	r.pos += n
	return err
}

// index reads which one of n branches or symbols is meant.
func (r *avroReader) index(n int, none error) (int, error) {
	i, err := r.long()
	if err != nil {
		return 0, err
	}
	if i < 0 || i >= int64(n) {
		return 0, none
	}
	return int(i), nil
}

// block reads the head of a block of an array or a map: the number of its items, 0 after the last block, and where the
// block ends, -1 when the writer doesn't say.
func (r *avroReader) block() (count int64, end int, err error) {
	if count, err = r.long(); err != nil || count >= 0 {
		return count, -1, err
	}
	if count == math.MinInt64 {
		return 0, 0, errLength
	}
	size, err := r.length()
	return -count, r.pos + size, err
}
