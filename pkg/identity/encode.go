package identity

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf8"
)

// layout is the version of the encoding that AppendBinary writes and Load reads.
const layout = 1

// AppendBinary appends the encoded user:
//
//	layout (a byte) | links | held | expires
//	links: their number, then for each, ascending: account, first, last as its distance from the first
//	held:  their number, then for each: occurred_at, until as its distance from that, position, traceparent, tracestate, event
//
// Numbers and times are unsigned varints, texts and bytes come after their length. There is one way to encode a user.
func (u *User) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, layout)
	b = appendNumber(b, int64(len(u.links)))
	for i := range u.links {
		l := &u.links[i]
		b = appendBytes(b, []byte(l.Account))
		b = appendNumber(appendNumber(b, l.First), l.Last-l.First)
	}
	b = appendNumber(b, int64(len(u.held)))
	for i := range u.held {
		h := &u.held[i]
		b = appendNumber(appendNumber(b, h.OccurredAt), h.Until-h.OccurredAt)
		b = appendBytes(appendBytes(b, h.Position), h.TraceParent)
		b = appendBytes(appendBytes(b, h.TraceState), h.Event)
	}
	return appendNumber(b, u.expires), nil
}

func appendNumber(b []byte, n int64) []byte { return binary.AppendUvarint(b, uint64(n)) }

func appendBytes(b, bytes []byte) []byte { return append(appendNumber(b, int64(len(bytes))), bytes...) }

// errMalformed says that bytes are no encoded user.
var errMalformed = errors.New("malformed user state")

// Load decodes what AppendBinary appended, and refuses what it would not have written. It keeps nothing of b.
func Load(b []byte) (*User, error) {
	if len(b) == 0 {
		return nil, errMalformed
	}
	if b[0] != layout {
		return nil, fmt.Errorf("a user's state has layout %d, this version reads %d", b[0], layout)
	}
	r := &reader{b: bytes.Clone(b[1:])}
	u := &User{}
	r.links(u)
	r.held(u)
	u.expires = r.time()
	if r.bad || len(r.b) > 0 || len(u.links) > 0 && (len(u.held) > 0 || u.expires != 0) {
		return nil, errMalformed
	}
	return u, nil
}

// reader reads an encoded user. After something that can't be, it is bad and reads nothing but zeros.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) links(u *User) {
	n := r.number(MaxLinks)
	if n > 0 {
		u.links = make([]Link, 0, n)
	}
	for range n {
		l := Link{Account: string(r.bytes(maxAccount)), First: r.time()}
		l.Last = l.First + r.time()
		before := ""
		if len(u.links) > 0 {
			before = u.links[len(u.links)-1].Account
		}
		if l.Account <= before || !utf8.ValidString(l.Account) {
			r.bad = true
		}
		u.links = append(u.links, l)
	}
}

// maxAccount is the longest id of an account, in bytes.
const maxAccount = 256

func (r *reader) held(u *User) {
	for n := r.number(maxTime); n > 0 && !r.bad; n-- {
		h := Held{OccurredAt: r.time()}
		h.Until = h.OccurredAt + r.time()
		for _, part := range []*[]byte{&h.Position, &h.TraceParent, &h.TraceState, &h.Event} {
			*part = r.bytes(MaxHeldBytes)
		}
		if u.bytes += h.size(); u.bytes > MaxHeldBytes {
			r.bad = true
		}
		u.held = append(u.held, h)
	}
}

// maxTime bounds times and distances, so that two of them can be added up.
const maxTime = 1 << 61

func (r *reader) time() int64 { return r.number(maxTime) }

// number reads a number that is at most as large, and as short as it can be.
func (r *reader) number(most int64) int64 {
	n, size := binary.Uvarint(r.b)
	if r.bad || size <= 0 || n > uint64(most) || size > 1 && r.b[size-1] == 0 {
		r.bad = true
		return 0
	}
	r.b = r.b[size:]
	return int64(n)
}

// bytes reads as many as the number before them says; nil for none.
func (r *reader) bytes(most int64) []byte {
	n := r.number(most)
	if n == 0 || n > int64(len(r.b)) {
		r.bad = r.bad || n > 0
		return nil
	}
	part := r.b[:n:n]
	r.b = r.b[n:]
	return part
}
