package codec

import (
	"encoding/hex"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

// leafKind is how a value is encoded.
type leafKind uint8

const (
	leafNull leafKind = iota
	leafBool
	leafInt
	leafLong
	leafFloat
	leafDouble
	leafText
	leafEnum
	leafUUID // fixed of 16 bytes
	leafUnion
	leafReject // a branch of a union that the target can't have
)

// leaf reads one value.
type leaf struct {
	kind     leafKind
	perMilli int64    // of a time: units a millisecond; 0 when it is not a time
	symbols  []string // of an enum
	branches []leaf   // of a union
	reject   *usage.Error
}

func (l *leaf) read(r *avroReader) (v usage.Value, err error) {
	switch l.kind {
	case leafText:
		var s string
		s, err = r.text()
		return usage.StringValue(s), err
	case leafLong:
		var n int64
		n, err = r.long()
		return usage.LongValue(l.millis(n)), err
	case leafInt:
		var n int64
		n, err = r.int()
		return usage.LongValue(l.millis(n)), err
	case leafDouble:
		var f float64
		f, err = r.double()
		return usage.DoubleValue(f), err
	case leafFloat:
		var f float64
		f, err = r.float()
		return usage.DoubleValue(f), err
	case leafBool:
		var b bool
		b, err = r.bool()
		return usage.BoolValue(b), err
	case leafUnion:
		var i int
		if i, err = r.index(len(l.branches), errBranch); err == nil {
			v, err = l.branches[i].read(r)
		}
		return v, err
	case leafEnum:
		var i int
		if i, err = r.index(len(l.symbols), errSymbol); err == nil {
			v = usage.StringValue(l.symbols[i])
		}
		return v, err
	case leafUUID:
		var b []byte
		if b, err = r.fixed(16); err == nil {
			v = usage.StringValue(uuidText(b))
		}
		return v, err
	case leafReject:
		return v, l.reject
	}
	return v, nil // null
}

// millis converts a time to milliseconds, rounding down.
func (l *leaf) millis(n int64) int64 {
	if l.perMilli <= 1 {
		return n
	}
	q := n / l.perMilli
	if n%l.perMilli < 0 {
		q--
	}
	return q
}

func uuidText(b []byte) string {
	var s [36]byte
	hex.Encode(s[:8], b[:4])
	hex.Encode(s[9:13], b[4:6])
	hex.Encode(s[14:18], b[6:8])
	hex.Encode(s[19:23], b[8:10])
	hex.Encode(s[24:], b[10:])
	s[8], s[13], s[18], s[23] = '-', '-', '-', '-'
	return string(s[:])
}
