package account

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

// layout is the version of the encoding that AppendBinary writes and Load reads.
const layout = 1

// AppendBinary appends the encoded state: the fields of schemas/account_state.avsc from the third on, in Avro's binary
// encoding. The two before are the runtime's.
func (s *State) AppendBinary(b []byte) ([]byte, error) {
	b = appendLong(b, layout)
	b = appendLong(b, s.incarnation)
	b = appendLong(b, s.ordinal)
	b = appendLong(b, int64(s.flags))
	b = appendLong(b, s.signedUpAt)
	b = appendLong(b, s.qualifiedAt)
	var room [16]string
	names := s.names(room[:0])
	b = appendTexts(b, names)
	b = s.appendDone(b, names)
	b = s.appendWork(b)
	b = s.appendProperties(b)
	b = s.appendUsers(b, names)
	b = s.appendSeen(b)
	return s.appendHistory(b), nil
}

// names lists the topics and users that the state names, each once: the table that the encoding refers to.
func (s *State) names(names []string) []string {
	add := func(name string) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for i := range s.done {
		add(s.done[i].topic)
		add(s.done[i].user)
	}
	for i := range s.users {
		add(s.users[i].id)
	}
	return names
}

func (s *State) appendDone(b []byte, names []string) []byte {
	b = appendCount(b, len(s.done))
	for i := range s.done {
		d := &s.done[i]
		b = appendKey(b, s.engine.checklist.Steps()[d.step].Key)
		b = appendLong(b, d.at)
		b = appendLong(b, int64(slices.Index(names, d.user)))
		b = appendEventID(b, d.event)
		b = appendLong(b, int64(slices.Index(names, d.topic)))
		b = appendLong(b, int64(d.partition))
		b = appendLong(b, d.offset)
		b = appendNumber(b, d.count)
	}
	return appendEnd(b)
}

func (s *State) appendWork(b []byte) []byte {
	b = appendCount(b, len(s.work))
	for i := range s.work {
		w := &s.work[i]
		b = appendKey(b, s.engine.checklist.Steps()[w.step].WorkKey)
		b = appendNumber(b, w.Total)
		b = appendTexts(b, w.IDs)
		b = appendCount(b, len(w.Days))
		for _, d := range w.Days {
			b = appendLong(appendLong(b, int64(d.Day)), int64(d.N))
		}
		b = appendEnd(b)
	}
	return appendEnd(b)
}

// appendProperties appends those that events have told; of the others the checklist knows the default.
func (s *State) appendProperties(b []byte) []byte {
	n := 0
	for _, at := range s.told {
		if at != notTold {
			n++
		}
	}
	b = appendCount(b, n)
	for i, at := range s.told {
		if at == notTold {
			continue
		}
		b = appendKey(b, s.engine.checklist.Properties()[i].Key)
		b = appendLong(b, at)
		b = appendValue(b, s.properties[i])
	}
	return appendEnd(b)
}

func (s *State) appendUsers(b []byte, names []string) []byte {
	b = appendCount(b, len(s.users))
	for i := range s.users {
		u := &s.users[i]
		b = appendLong(b, int64(slices.Index(names, u.id)))
		b = appendLong(appendLong(b, u.events), u.lastSeen)
	}
	return appendEnd(b)
}

func (s *State) appendSeen(b []byte) []byte {
	fresh := s.seen.fresh(s.engine.horizon)
	b = appendCount(b, len(fresh))
	for _, e := range fresh {
		b = binary.BigEndian.AppendUint64(b, e.id)
		b = appendLong(b, e.at)
	}
	return appendEnd(b)
}

// appendHistory names a moment's step by its place among the steps done, counted from 1.
func (s *State) appendHistory(b []byte) []byte {
	b = appendCount(b, len(s.history))
	for _, m := range s.history {
		place := slices.IndexFunc(s.done, func(d evidence) bool { return int16(d.step) == m.step })
		b = append(b, m.kind<<1)
		b = appendLong(b, m.at)
		b = appendLong(b, int64(place+1))
	}
	return appendEnd(b)
}

func appendLong(b []byte, n int64) []byte { return binary.AppendVarint(b, n) }

// appendCount and appendEnd go around an array's items, all in one block.
func appendCount(b []byte, n int) []byte {
	if n == 0 {
		return b
	}
	return appendLong(b, int64(n))
}

func appendEnd(b []byte) []byte { return append(b, 0) }

func appendKey(b []byte, key uint32) []byte { return binary.BigEndian.AppendUint32(b, key) }

func appendText(b []byte, s string) []byte { return append(appendLong(b, int64(len(s))), s...) }

func appendTexts(b []byte, texts []string) []byte {
	b = appendCount(b, len(texts))
	for _, s := range texts {
		b = appendText(b, s)
	}
	return appendEnd(b)
}

// Branches of the schema's unions.
const (
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

// appendEventID writes a UUID in its usual form as its 16 bytes.
func appendEventID(b []byte, id string) []byte {
	if !isUUID(id) {
		return appendText(append(b, branchText<<1), id)
	}
	b = append(b, branchUUID<<1)
	for i := 0; i < len(id); i += 2 {
		if id[i] == '-' {
			i++
		}
		b = append(b, nibble(id[i])<<4|nibble(id[i+1]))
	}
	return b
}

// isUUID says whether an id has the form that formatUUID gives back: 8-4-4-4-12 lower-case hex digits.
func isUUID(id string) bool {
	if len(id) != 36 {
		return false
	}
	for i := range len(id) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (id[i] == '-') || !dash && nibble(id[i]) > 15 {
			return false
		}
	}
	return true
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
