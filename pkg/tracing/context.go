// Package tracing is traces as values: the context that headers carry, which records are sampled, spans, and ids that are
// the same whenever the same is done again. Whoever exports spans converts them.
package tracing

import (
	"encoding/binary"
	"encoding/hex"

	"github.com/cespare/xxhash/v2"
)

// TraceID names a trace. The zero id is none.
type TraceID [16]byte

// SpanID names a span of a trace. The zero id is none.
type SpanID [8]byte

// The flags of a context, of which version 00 of the header has two.
const (
	Sampled = 1 // the trace is recorded
	random  = 2 // its id is random

	knownFlags = Sampled | random
)

// Context says which span something belongs to.
type Context struct {
	Trace TraceID
	Span  SpanID // none: the trace begins here
	Flags byte
}

// Sampled says whether what belongs to the context is recorded.
func (c Context) Sampled() bool { return c.Flags&Sampled != 0 }

const headerBytes = len("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")

// Parse reads the value of a header traceparent (https://www.w3.org/TR/trace-context-2/). It says whether there is a context in it;
// of later versions than 00 it takes what version 00 has.
func Parse(header []byte) (c Context, ok bool) {
	if len(header) < headerBytes || header[2] != '-' || header[35] != '-' || header[52] != '-' {
		return Context{}, false
	}
	var version, flags [1]byte
	for _, part := range []struct{ to, from []byte }{
		{version[:], header[:2]}, {c.Trace[:], header[3:35]}, {c.Span[:], header[36:52]}, {flags[:], header[53:55]},
	} {
		if !decodeHex(part.to, part.from) {
			return Context{}, false
		}
	}
	c.Flags = flags[0] & knownFlags
	longer := len(header) > headerBytes
	switch {
	case version[0] == 0xff, version[0] == 0 && longer, longer && header[headerBytes] != '-':
		return Context{}, false
	}
	return c, c.Trace != TraceID{} && c.Span != SpanID{}
}

// Unsampled says at a glance whether the value of a header names a trace that is not recorded, as most do. What is no
// context at all may look like that.
func Unsampled(header []byte) bool {
	if len(header) < headerBytes {
		return false
	}
	switch header[headerBytes-1] {
	case '0', '2', '4', '6', '8', 'a', 'c', 'e':
		return true
	}
	return false
}

// decodeHex reads lower-case hexadecimal digits, the only ones that the header may have.
func decodeHex(to, from []byte) bool {
	for _, b := range from {
		if b >= 'A' && b <= 'F' {
			return false
		}
	}
	_, err := hex.Decode(to, from)
	return err == nil
}

// Header returns the context as the value of a header traceparent.
func (c Context) Header() []byte {
	b := append(make([]byte, 0, headerBytes), "00-"...)
	b = append(hex.AppendEncode(b, c.Trace[:]), '-')
	b = append(hex.AppendEncode(b, c.Span[:]), '-')
	return hex.AppendEncode(b, []byte{c.Flags})
}

// Child is the context of something done under this one. Its id follows from the trace, the parent and what is given, so
// that it is the same when that is done again after a crash: place says what is done and where, numbers which time it is.
func (c Context) Child(place string, numbers ...int64) Context {
	b := make([]byte, 0, 128)
	b = append(append(append(b, c.Trace[:]...), c.Span[:]...), place...)
	for _, n := range numbers {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	binary.BigEndian.PutUint64(c.Span[:], max(xxhash.Sum64(b), 1)) // 0 is no id
	return c
}
