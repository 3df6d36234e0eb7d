package rollup

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"unsafe"
)

// History is what metrics keep of one account: all that its contributions follow from. It is kept as it is encoded.
type History struct{ b []byte }

const (
	// Of an account's comings and goings, and of what sales has said of it, the newest are kept. What is not kept any more counts for
	// good, as it did.
	maxMoves   = 100
	maxSayings = 50
	// Of steps the first are kept; more don't count. Checklists have at most 100 at a time.
	maxSteps = 256
)

// LoadHistory returns the history that AppendBinary has appended. It takes nothing else.
func LoadHistory(b []byte) (*History, error) {
	h := &History{b: bytes.Clone(b)}
	if len(b) == 0 {
		return h, nil
	}
	var l life
	if err := l.decode(b); err != nil {
		return nil, err
	}
	if !l.possible() || !bytes.Equal(l.appendBinary(nil), b) {
		return nil, errHistory
	}
	return h, nil
}

// AppendBinary appends the encoded history: of an empty one nothing.
func (h *History) AppendBinary(b []byte) ([]byte, error) { return append(b, h.b...), nil }

// Empty says that nothing is kept: the account is new, or it has been merged into another or erased, and need not be kept either.
func (h *History) Empty() bool { return len(h.b) == 0 }

// Size is the memory that the history takes, in bytes.
func (h *History) Size() int { return int(unsafe.Sizeof(*h)) + cap(h.b) }

// Touch reads a little of the history's memory, so that it is at hand for a Fold soon after.
func (h *History) Touch() int {
	if len(h.b) == 0 {
		return 0
	}
	return int(h.b[0]) + int(h.b[len(h.b)-1])
}

// keep makes the history what a life has become, and says whether that is another.
func (h *History) keep(encoded []byte) (changed bool) {
	if bytes.Equal(h.b, encoded) {
		return false
	}
	if len(encoded) > cap(h.b) {
		h.b = make([]byte, 0, len(encoded)+len(encoded)/8)
	}
	h.b = append(h.b[:0], encoded...)
	return true
}

// life is a history, taken apart. It is used again for its room; its texts alias what it was made from.
type life struct {
	places []string // that the others refer to, as groupings make them

	signedUp moment // zero: unknown
	held     bool   // as the sign-up was told first
	rate     uint8  // tenths of the newest activation rate

	first    int64 // when it became a PQL for the first time, if everQualified
	paid     int64 // when it converted for the first time, if everPaid
	standing int64 // the newest time of its standing, if stood: no change of it is earlier
	forgot   int64 // when it qualified, of the newest qualification not kept any more, if hasForgotten

	everQualified, everPaid, stood, hasForgotten, excluded bool

	moves   []move
	sayings []saying
	steps   []step
}

// moment is a time and the place that the account was at.
type moment struct {
	at    int64 // ms since the Unix epoch
	place int   // among the places, counted from 1
}

// move is a coming or a going. Of a life the first is never a going.
type move struct {
	moment
	kind   moveKind
	held   bool   // of one that qualifies
	isPaid bool   // of one that qualifies: the account has converted since
	paid   int64  // when, for the first time since
	reason string // of one that leaves
}

type moveKind uint8

const (
	qualifies   moveKind = iota // for the first time
	requalifies                 //
	changes                     // the group: from one place to another. As the first move kept only the coming counts
	leaves                      // from where it is; its own place is none
)

func (k moveKind) qualifies() bool { return k <= requalifies }

type saying struct {
	moment
	what string
}

type step struct {
	id string
	at int64
}

// current says whether the account is a PQL.
func (l *life) current() bool { return len(l.moves) > 0 && l.moves[len(l.moves)-1].kind != leaves }

func (l *life) reset() {
	*l = life{places: l.places[:0], moves: l.moves[:0], sayings: l.sayings[:0], steps: l.steps[:0]}
}

// historyLayout is the first byte of an encoded history. What follows: flags, rate, places (each used, in the order of the
// first use), sign-up with its place, the times that flags say are there, moves, sayings, steps. Times are told as distances: of
// moves from the move before, of the others from the sign-up, or from 0.
const historyLayout = 1

const (
	lifeSignedUp = 1 << iota
	lifeHeld
	lifeQualified
	lifePaid
	lifeStood
	lifeForgot
	lifeExcluded
	afterLifeFlags
)

const (
	moveHeld = 1 << (iota + 2) // beside the kind
	movePaid
	afterMoveFlags
)

func (l *life) flags() (flags byte) {
	has := [...]bool{l.signedUp.place > 0, l.held, l.everQualified, l.everPaid, l.stood, l.hasForgotten, l.excluded}
	for i, is := range has {
		if is {
			flags |= 1 << i
		}
	}
	return flags
}

func (l *life) appendBinary(b []byte) []byte {
	b = append(b, historyLayout, l.flags(), l.rate)
	b = l.appendPlaces(b)
	from := l.signedUp.at
	if l.signedUp.place > 0 {
		b = appendInt(b, from)
	}
	for _, t := range [...]struct {
		is bool
		at int64
	}{{l.everQualified, l.first}, {l.everPaid, l.paid}, {l.stood, l.standing}, {l.hasForgotten, l.forgot}} {
		if t.is {
			b = appendInt(b, t.at-from)
		}
	}
	b = appendUint(b, uint64(len(l.moves)))
	before := from
	for i := range l.moves {
		b = l.moves[i].appendBinary(b, before)
		before = l.moves[i].at
	}
	b = appendUint(b, uint64(len(l.sayings)))
	for i := range l.sayings {
		s := &l.sayings[i]
		b = appendCoded(b, sayings[:], s.what)
		b = appendUint(appendInt(b, s.at-from), uint64(s.place))
	}
	b = appendUint(b, uint64(len(l.steps)))
	for i := range l.steps {
		b = appendInt(appendText(b, l.steps[i].id), l.steps[i].at-from)
	}
	return b
}

func (m *move) appendBinary(b []byte, before int64) []byte {
	head := byte(m.kind)
	if m.held {
		head |= moveHeld
	}
	if m.isPaid {
		head |= movePaid
	}
	b = appendInt(append(b, head), m.at-before)
	if m.kind == leaves {
		return appendCoded(b, reasons[:], m.reason)
	}
	b = appendUint(b, uint64(m.place))
	if m.isPaid {
		b = appendUint(b, uint64(m.paid-m.at))
	}
	return b
}

// appendPlaces appends the places that something refers to, and makes all refer to them by their new numbers.
func (l *life) appendPlaces(b []byte) []byte {
	var room [16]int
	number, n := room[:0], 0
	for range l.places {
		number = append(number, 0)
	}
	l.eachPlace(func(place *int) {
		if number[*place-1] == 0 {
			n++
			number[*place-1] = n
		}
		*place = number[*place-1]
	})
	b = appendUint(b, uint64(n))
	for i := range n {
		for old, now := range number {
			if now == i+1 {
				b = appendText(b, l.places[old])
			}
		}
	}
	return b
}

// eachPlace goes through all references to places, in the order of the encoding.
func (l *life) eachPlace(do func(place *int)) {
	if l.signedUp.place > 0 {
		do(&l.signedUp.place)
	}
	for i := range l.moves {
		if l.moves[i].kind != leaves {
			do(&l.moves[i].place)
		}
	}
	for i := range l.sayings {
		do(&l.sayings[i].place)
	}
}

var errHistory = errors.New("no encoding of a history")

// decode reads what appendBinary makes. Whether facts can lead to it, and whether it is encoded as it must be, it leaves to LoadHistory.
func (l *life) decode(b []byte) error {
	l.reset()
	r := reader{b: unsafe.String(unsafe.SliceData(b), len(b))}
	if r.byte() != historyLayout {
		return fmt.Errorf("%w: unknown layout", errHistory)
	}
	flags := r.byte()
	l.rate, l.held, l.excluded = r.byte(), flags&lifeHeld != 0, flags&lifeExcluded != 0
	for range r.count() {
		l.places = append(l.places, r.text())
	}
	if flags&lifeSignedUp != 0 {
		l.signedUp = moment{r.int(), 1} // its place is used first
	}
	from := l.signedUp.at
	since := func(flag byte) (is bool, at int64) {
		if flags&flag == 0 {
			return false, 0
		}
		return true, from + r.int()
	}
	l.everQualified, l.first = since(lifeQualified)
	l.everPaid, l.paid = since(lifePaid)
	l.stood, l.standing = since(lifeStood)
	l.hasForgotten, l.forgot = since(lifeForgot)
	l.readMoves(&r, from)
	for range r.count() {
		what := r.coded(sayings[:])
		l.sayings = append(l.sayings, saying{moment{from + r.int(), r.place(l)}, what})
	}
	for range r.count() {
		l.steps = append(l.steps, step{r.text(), from + r.int()})
	}
	if r.bad || r.more() || flags >= afterLifeFlags {
		l.reset()
		return errHistory
	}
	return nil
}

func (l *life) readMoves(r *reader, before int64) {
	for range r.count() {
		head := r.byte()
		m := move{kind: moveKind(head & 3), held: head&moveHeld != 0, isPaid: head&movePaid != 0}
		m.at = before + r.int()
		if m.kind == leaves {
			m.reason = r.coded(reasons[:])
		} else {
			m.place = r.place(l)
		}
		if m.isPaid {
			m.paid = m.at + int64(r.uint())
		}
		if head >= afterMoveFlags || head>>2 != 0 && !m.kind.qualifies() {
			r.fail()
		}
		l.moves, before = append(l.moves, m), m.at
	}
}

// place reads a reference to a place of a life.
func (r *reader) place(l *life) int {
	n := r.below(len(l.places) + 1)
	if n == 0 {
		r.fail()
	}
	return n
}

// possible says whether facts can lead to such a life.
func (l *life) possible() bool {
	if l.rate > 10 || l.held && l.signedUp.place == 0 || l.signedUp.place > len(l.places) || len(l.moves) > maxMoves ||
		len(l.sayings) > maxSayings || len(l.steps) > maxSteps || l.hasForgotten && !l.everQualified || l.everQualified && !l.stood {
		return false
	}
	for i := range l.moves {
		m, current := &l.moves[i], i > 0 && l.moves[i-1].kind != leaves
		starts := m.kind.qualifies() && !current || m.kind == changes && i == 0
		goesOn := (m.kind == changes || m.kind == leaves) && current
		if !starts && !goesOn || !l.stood || m.at > l.standing || i > 0 && m.at < l.moves[i-1].at || m.isPaid && m.paid < m.at {
			return false
		}
	}
	for i := range l.steps {
		if slices.ContainsFunc(l.steps[:i], func(s step) bool { return s.id == l.steps[i].id }) {
			return false
		}
	}
	return true
}
