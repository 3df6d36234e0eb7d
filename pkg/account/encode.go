package account

import (
	"encoding/binary"
	"math"
	"strings"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

// layout is the version of the encoding that AppendBinary writes and Load reads.
const layout = 6

// AppendBinary appends the encoded state: the fields of schemas/account_state.avsc from the third on, in Avro's binary
// encoding. The two before are the runtime's.
func (s *State) AppendBinary(b []byte) ([]byte, error) {
	b = appendLong(b, layout)
	b = appendLong(b, s.incarnation)
	b = appendLong(b, int64(s.ordinal))
	b = appendLong(b, int64(s.flags&allFlags))
	b = appendLong(b, int64(s.lastHour))
	b = appendLong(b, int64(s.toldLast))
	return append(b, s.parts.b...), nil
}

// transitionBound is the most bytes that an entry of the log takes that is no step done.
const transitionBound = 2 + binary.MaxVarintLen64 + 4

// appendEntry appends an entry of the log, a distance after the one before.
func appendEntry(b []byte, e *entry, distance int64) []byte {
	switch {
	case e.kind == kindStepUndone:
		return appendKey(appendLong(append(b, branchUndone<<1), distance), e.key)
	case e.kind != kindStepDone:
		return appendLong(append(b, branchTransition<<1, e.kind<<1), distance)
	case e.timed:
		return appendNumber(appendKey(appendLong(append(b, branchTimed<<1), distance), e.key), e.count)
	}
	b = appendKey(appendLong(append(b, branchDone<<1), distance), e.key)
	b = appendEventID(appendLong(b, int64(e.user)), &e.event)
	b = appendLong(appendLong(b, int64(e.topic)), int64(e.partition))
	return appendNumber(appendLong(b, e.offset), e.count)
}

func appendLong(b []byte, n int64) []byte { return binary.AppendVarint(b, n) }

func appendKey(b []byte, key uint32) []byte { return binary.BigEndian.AppendUint32(b, key) }

func appendText(b []byte, s string) []byte { return append(appendLong(b, int64(len(s))), s...) }

func appendBytes(b, bytes []byte) []byte { return append(appendLong(b, int64(len(bytes))), bytes...) }

// Branches of the schema's unions.
const (
	branchTransition = 0
	branchDone       = 1
	branchTimed      = 2
	branchUndone     = 3

	branchLong   = 0
	branchDouble = 1

	branchText = 0
	branchUUID = 1

	valueBoolean = 0
	valueLong    = 1
	valueDouble  = 2
	valueText    = 3
)

// appendNumber writes whole numbers, which most are, as longs: they are shorter.
func appendNumber(b []byte, f float64) []byte {
	if f == math.Trunc(f) && math.Abs(f) < 1<<53 && !(f == 0 && math.Signbit(f)) {
		return appendLong(append(b, branchLong<<1), int64(f))
	}
	return appendDouble(append(b, branchDouble<<1), f)
}

func appendDouble(b []byte, f float64) []byte {
	return binary.LittleEndian.AppendUint64(b, math.Float64bits(f))
}

func appendValue(b []byte, v usage.Value) []byte {
	switch v.Kind() {
	case usage.Bool:
		if v.Bool() {
			return append(b, valueBoolean<<1, 1)
		}
		return append(b, valueBoolean<<1, 0)
	case usage.Long:
		return appendLong(append(b, valueLong<<1), v.Long())
	case usage.Double:
		return appendDouble(append(b, valueDouble<<1), v.Double())
	}
	return appendText(append(b, valueText<<1), v.Str())
}

func appendEventID(b []byte, id *eventID) []byte {
	if !id.isUUID {
		return appendText(append(b, branchText<<1), id.text)
	}
	return append(append(b, branchUUID<<1), id.uuid[:]...)
}

// eventID is the id of an event: a UUID if it has the form that formatUUID gives back, else a text.
type eventID struct {
	text   string
	uuid   [16]byte
	isUUID bool
}

// parseEventID takes an id apart; a text aliases it.
func parseEventID(id string) (e eventID) {
	e.text = id
	if len(id) != 36 {
		return e
	}
	digits := 0
	for i := range len(id) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		digit := nibble(id[i])
		if dash != (id[i] == '-') || !dash && digit > 15 {
			return e
		}
		if !dash {
			e.uuid[digits/2] = e.uuid[digits/2]<<4 | digit
			digits++
		}
	}
	e.isUUID = true
	return e
}

// own returns the id in memory of its own.
func (e *eventID) own() string {
	if e.isUUID {
		return formatUUID(e.uuid)
	}
	return strings.Clone(e.text)
}

func nibble(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	}
	return 16
}

func formatUUID(id [16]byte) string {
	const digits = "0123456789abcdef"
	var out [36]byte
	at := 0
	for i, c := range id {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			out[at] = '-'
			at++
		}
		out[at], out[at+1] = digits[c>>4], digits[c&15]
		at += 2
	}
	return string(out[:])
}
