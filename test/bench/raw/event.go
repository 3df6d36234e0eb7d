package main

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/pqlstream/pqlstream/test/bench/job"
)

// event is one event whose texts lie in the record that it was read from.
type event struct {
	id, account, user, name []byte
	occurredAt              int64
	properties              []property
	quantity                float64
}

type property struct{ key, value []byte }

var errEvent = errors.New("not an event of the job")

// decode reads the wire format of job.Append. It allocates nothing but for more properties than ever before.
func (e *event) decode(b []byte) error {
	if len(b) < job.HeaderSize || b[0] != 0 {
		return errEvent
	}
	r := reader{rest: b[job.HeaderSize:]}
	e.id, e.account, e.user, e.name = r.text(), r.text(), r.text(), r.text()
	e.occurredAt = r.long()
	e.properties = e.properties[:0]
	for n := r.long(); n != 0 && !r.bad; n = r.long() {
		if n < 0 { // the block's size follows
			n = -n
			r.long()
		}
		for ; n > 0 && !r.bad; n-- {
			e.properties = append(e.properties, property{r.text(), r.text()})
		}
	}
	if r.bad || len(r.rest) != 8 {
		return errEvent
	}
	e.quantity = math.Float64frombits(binary.LittleEndian.Uint64(r.rest))
	return nil
}

func (e *event) sum() uint64 {
	n := len(e.id) + len(e.account) + len(e.user) + len(e.name)
	for _, p := range e.properties {
		n += len(p.key) + len(p.value)
	}
	return uint64(n) + uint64(e.occurredAt) + math.Float64bits(e.quantity)
}

type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) long() int64 {
	n, size := binary.Varint(r.rest)
	if size <= 0 {
		r.bad, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

func (r *reader) text() []byte {
	n := r.long()
	if n < 0 || n > int64(len(r.rest)) {
		r.bad, r.rest = true, nil
		return nil
	}
	text := r.rest[:n]
	r.rest = r.rest[n:]
	return text
}
