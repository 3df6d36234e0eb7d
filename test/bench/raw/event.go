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
	r := job.Reader{Rest: b[job.HeaderSize:]}
	e.id, e.account, e.user, e.name = r.Text(), r.Text(), r.Text(), r.Text()
	e.occurredAt = r.Long()
	e.properties = e.properties[:0]
	for n := r.Long(); n != 0 && !r.Bad; n = r.Long() {
		if n < 0 { // the block's size follows
			n = -n
			r.Long()
		}
		for ; n > 0 && !r.Bad; n-- {
			e.properties = append(e.properties, property{r.Text(), r.Text()})
		}
	}
	if r.Bad || len(r.Rest) != 8 {
		return errEvent
	}
	e.quantity = math.Float64frombits(binary.LittleEndian.Uint64(r.Rest))
	return nil
}

func (e *event) sum() uint64 {
	n := len(e.id) + len(e.account) + len(e.user) + len(e.name)
	for _, p := range e.properties {
		n += len(p.key) + len(p.value)
	}
	return uint64(n) + uint64(e.occurredAt) + math.Float64bits(e.quantity)
}
