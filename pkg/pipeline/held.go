package pipeline

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/stream"
)

// headerWatermark is how far time had come in the source's partition when its record was read: ms since the Unix epoch, as a text.
const headerWatermark = "source-watermark"

// watermarkHeader says how far time had come; without it where nothing is known of that.
func watermarkHeader(headers []kgo.RecordHeader, watermark int64) []kgo.RecordHeader {
	if watermark <= 0 {
		return headers
	}
	return append(headers, kgo.RecordHeader{Key: headerWatermark, Value: strconv.AppendInt(nil, watermark, 10)})
}

// sourceWatermark is what watermarkHeader has said, 0 where that is nothing. As of marks, nobody is believed about the future.
func sourceWatermark(r *kgo.Record) int64 {
	for _, h := range r.Headers {
		if h.Key == headerWatermark {
			ms, err := strconv.ParseInt(string(h.Value), 10, 64)
			if err != nil || ms < 0 {
				return 0
			}
			return min(ms, r.Timestamp.UnixMilli())
		}
	}
	return 0
}

// lane is where a record comes from: the alias that has sent it on, or else its source's partition. What an alias has sent belongs in the
// order in which it did.
func lane(r *kgo.Record, m *account.Message) string {
	if m != nil && len(m.Via.Visited) > 0 {
		return "via " + m.Via.Visited[len(m.Via.Visited)-1]
	}
	p := position(r)
	return p.Topic + ":" + strconv.Itoa(int(p.Partition))
}

// erases says whether a message is to take away what is known.
func erases(m *account.Message) bool {
	return m != nil && (m.Asks == account.ToErase || m.Asks == account.ToEraseUser)
}

// waits has a record wait where the account's time is to pass before, and says whether it does. See rule 8 of DESIGN.md. It says as well
// whether it has taken in what was waiting, for which there is no room any more or no time.
func (a timedActivation) waits(s *account.State, m *account.Message, t *stream.Turn) (waits, hurried bool, err error) {
	if a.Partitions > 0 || s.NextTimer() == 0 && !s.Holds() {
		return false, false, nil
	}
	until := sourceWatermark(t.Record)
	if until == 0 {
		if m == nil || m.Asks == account.ToFold {
			return false, false, nil
		}
		return false, true, a.hurry(s, t) // no source asks for it: at once
	}
	h := &account.Held{Until: until, Lane: lane(t.Record, m), Last: erases(m)}
	if !s.Early(h) {
		if s.Crowded(len(t.Record.Value)) {
			return false, true, a.hurry(s, t)
		}
		return false, false, nil
	}
	if h.Record = appendRecord(nil, t.Record); s.Hold(h) {
		t.Changed()
		return true, false, nil
	}
	return false, true, a.hurry(s, t)
}

// hurry takes in all that is held, whatever is due before.
func (a timedActivation) hurry(s *account.State, t *stream.Turn) error {
	q := s.TakeHeld()
	for h := q.Take(); h != nil; h = q.Take() {
		if err := a.takeIn(h, s, t.Watermark, t); err != nil {
			return err
		}
	}
	return nil
}

// pass lets time pass up to a moment, and takes in what is held as its turn comes: at the time that the account has come to, which
// does not depend on how far the watermark has gone beyond. The account may have come to a time before.
func (a timedActivation) pass(s *account.State, passed, now int64, t *stream.Turn) error {
	if !s.Holds() {
		changed, facts := a.folder.Pass(s, now)
		a.take(t, nil, changed, facts)
		return nil
	}
	q := s.TakeHeld()
	defer func() { s.HoldAgain(q) }()
	for {
		next := q.Next()
		if next == nil {
			return a.pass(s, passed, now, t)
		}
		at := min(now, next.Until)
		for due, is := s.DueBy(at); is; due, is = s.DueBy(at) {
			changed, facts := a.folder.Pass(s, due)
			a.take(t, nil, changed, facts)
			passed = max(passed, due)
			if again, _ := s.DueBy(at); again == due {
				break // no rule says so
			}
		}
		if _, is := s.DueBy(next.Until); is {
			return nil
		}
		if passed == 0 {
			passed = at
		}
		if err := a.takeIn(q.Take(), s, passed, t); err != nil {
			return err
		}
	}
}

// takeIn does with a record that was held what Decode and Fold would have done.
func (a timedActivation) takeIn(h *account.Held, s *account.State, watermark int64, t *stream.Turn) error {
	t.Changed()
	r, err := heldRecord(h.Record, s.AccountID())
	if err != nil {
		return fmt.Errorf("taking in what account %q held: %w", s.AccountID(), err)
	}
	r.Topic, r.Partition = t.Topic, t.Partition
	if err = a.decodeAgain(&a.again, r); err == nil && (a.again.listener != nil || a.again.message != nil) {
		err = a.fold(&a.again, r, watermark, t)
	}
	return a.lettered(r, err, t)
}

// lettered makes a dead letter of a record, if the error says that it is one, in a turn that has done more than that and stands.
func (a *activation) lettered(r *kgo.Record, err error, t *stream.Turn) error {
	reject, ok := errors.AsType[*stream.Reject](err)
	if !ok {
		return err
	}
	letter, err := a.DeadLetters.Letter(r, reject)
	if err == nil {
		t.Changed()
		t.Emit(letter)
	}
	return err
}

// decodeAgain is Decode for a record that could be decoded when it came.
func (a *activation) decodeAgain(s *slot, r *kgo.Record) (err error) {
	s.message = nil
	kind := controlKind(r)
	if kind == "" || kind == controlEvent {
		if s.listener, err = a.read(a.decoderAgain, r.Value, &s.event); err != nil {
			return decoded(r, err)
		}
	}
	switch kind {
	case "":
	case controlEvent:
		s.message, err = forwarded(r)
	default:
		s.message, err = messageOf(kind, r)
	}
	return err
}

// appendRecord appends what heldRecord reads: all of a record but its topic and partition, and of its key whether there is one.
func appendRecord(b []byte, r *kgo.Record) []byte {
	b = binary.AppendVarint(binary.AppendVarint(b, r.Offset), r.Timestamp.UnixMilli())
	b = binary.AppendVarint(b, int64(min(len(r.Key), 1)))
	b = binary.AppendVarint(b, int64(len(r.Headers)))
	for _, h := range r.Headers {
		b = appendSized(appendSized(b, []byte(h.Key)), h.Value)
	}
	return appendSized(b, r.Value)
}

func appendSized(b, v []byte) []byte { return append(binary.AppendVarint(b, int64(len(v))), v...) }

// errHeld says that bytes are not what appendRecord appends.
var errHeld = errors.New("malformed record")

// heldRecord returns the record that appendRecord has appended, whose key, if it has one, is the account's id. It aliases b.
func heldRecord(b []byte, id string) (*kgo.Record, error) {
	good := true
	long := func() int64 {
		v, n := binary.Varint(b)
		if n <= 0 {
			good = false
			return 0
		}
		b = b[n:]
		return v
	}
	sized := func() []byte {
		n := long()
		if good = good && n >= 0 && n <= int64(len(b)); !good {
			return nil
		}
		v := b[:n:n]
		b = b[n:]
		return v
	}
	r := &kgo.Record{Offset: long(), Timestamp: time.UnixMilli(long())}
	if long() == 1 {
		r.Key = []byte(id)
	}
	for n := long(); good && n > 0; n-- {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: string(sized()), Value: sized()})
	}
	r.Value = sized()
	if !good || len(b) > 0 {
		return nil, errHeld
	}
	return r, nil
}
