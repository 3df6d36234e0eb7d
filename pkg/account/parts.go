package account

import (
	"encoding/binary"
	"slices"
)

// part names one of the lists that a state consists of.
type part uint8

// The parts, in the order of the encoding. What told says is aliased while an event is folded: it lies first, where nothing
// that changes another part moves it.
const (
	told    part = iota // the account properties that events have told
	topics              // the names that log refers to
	users               // those that are tracked, and those that log refers to
	merited             // the steps that the bits of users' merits stand for
	log                 // what became of the account
	work                // the working sets of steps begun
	seen                // the newest events' ids
	held                // records that wait for time
	partCount
)

// parts holds a state's lists just as they are encoded: one after the other, each an Avro array of at most one block, that is
// the number of its items as a varint, the items, and a zero; an empty one is a zero. So a state takes little more memory
// than its encoding, in one piece that the garbage collector does not look into, and is encoded by a copy.
type parts struct {
	b    []byte
	ends [partCount - 1]uint32 // where each part ends but the last, which ends with b
}

// nothing is the parts of a new state, shared until something is added.
var nothing [partCount]byte

func newParts() parts {
	p := parts{b: nothing[:]}
	for i := range p.ends {
		p.ends[i] = uint32(i) + 1
	}
	return p
}

// span returns where a part's items begin and end, and where the part itself begins: at their number, if there are any.
func (p *parts) span(which part) (begin, from, to int) {
	to = len(p.b)
	if which < partCount-1 {
		to = int(p.ends[which])
	}
	if which > 0 {
		begin = int(p.ends[which-1])
	}
	from = begin
	if to--; to > begin {
		for from++; p.b[from-1] >= 0x80; from++ { // the number of items
		}
	}
	return begin, from, to
}

// items returns a part's items, valid until a part changes.
func (p *parts) items(which part) []byte {
	_, from, to := p.span(which)
	return p.b[from:to:to]
}

// count returns the number of a part's items.
func (p *parts) count(which part) int {
	begin, _, _ := p.span(which)
	n, _ := binary.Varint(p.b[begin:])
	return int(n)
}

// add appends one item to a part.
func (p *parts) add(which part, item []byte) { p.replace(which, len(p.items(which)), 0, item, 1) }

// remove drops one item, of a size and at a place among the part's.
func (p *parts) remove(which part, at, size int) { p.replace(which, at, size, nil, -1) }

// replace puts bytes, which are not the state's, in the place of others at some place among a part's items. It makes so
// many items more.
func (p *parts) replace(which part, at, drop int, with []byte, more int) {
	begin, from, _ := p.span(which)
	p.splice(which, from+at, drop, with)
	if more == 0 {
		return
	}
	n := int64(more)
	if from > begin {
		before, _ := binary.Varint(p.b[begin:])
		n += before
	}
	var room [binary.MaxVarintLen64]byte
	count := room[:0]
	if n > 0 {
		count = binary.AppendVarint(count, n)
	}
	p.splice(which, begin, from-begin, count)
}

// splice puts bytes in the place of others at some place of b, which lies in a part.
func (p *parts) splice(which part, at, drop int, with []byte) {
	if more := len(with) - drop; more != 0 {
		old, n := p.b, len(p.b)+more
		if n > cap(old) || cap(old) > 2*n+roomy {
			p.b = slices.Grow([]byte(nil), roomFor(n))[:n]
			copy(p.b, old[:at])
		} else {
			p.b = old[:n]
		}
		copy(p.b[at+len(with):], old[at+drop:])
		for i := int(which); i < len(p.ends); i++ {
			p.ends[i] += uint32(more)
		}
	}
	copy(p.b[at:], with)
}

const (
	// little is what parts are given at first: hardly any account stays below.
	little = 64
	// roomy is from how many bytes on there is room left to grow by. Smaller states get what the allocator rounds up to:
	// there are many, and most have grown to what they will be.
	roomy = 512
)

func roomFor(n int) int {
	if n < roomy {
		return max(n, little)
	}
	return n + n/8
}
