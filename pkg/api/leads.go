package api

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Remembered is how many facts an instance has ready for clients that come back.
const Remembered = 1000

// Leads are the newest facts of the topic of PQL events, for clients that follow them. Somebody reads the topic: Begin first, then
// Add for each record. All methods may be called concurrently.
//
// A client's id says for each partition up to where it has seen facts, so that it goes on at any instance, however the
// instance's reading mixes the partitions.
type Leads struct {
	mu    sync.Mutex
	topic uint32        // identifies the topic's incarnation
	next  []int64       // by partition, the offset after the last fact that was added; nil before Begin
	ends  []int64       // by partition, where the topic ended at Begin: what lies before is past
	kept  []int64       // by partition, the first offset from which on all facts are in the ring
	ring  []lead        // the oldest first
	first uint64        // number of the ring's first: they are numbered as they come
	more  chan struct{} // closed when something comes

	closing sync.Once
	closed  chan struct{}
}

type lead struct {
	partition int32
	offset    int64
	value     []byte
}

// NewLeads returns leads of a topic of which nothing has been read.
func NewLeads() *Leads {
	return &Leads{more: make(chan struct{}), closed: make(chan struct{})}
}

// Close ends all streams.
func (l *Leads) Close() { l.closing.Do(func() { close(l.closed) }) }

// Begin says from which offset of each partition on facts will be added, where the partitions end by now, and which incarnation of the
// topic they are of. What was added before is forgotten.
func (l *Leads) Begin(topic uint32, from, ends []int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.topic, l.next, l.kept, l.ends = topic, slices.Clone(from), slices.Clone(from), slices.Clone(ends)
	l.first += uint64(len(l.ring)) + 1 // so that those who follow notice
	l.ring = nil
	l.wake()
}

// Add adds a fact. The value is kept.
func (l *Leads) Add(partition int32, offset int64, value []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if int(partition) >= len(l.next) {
		return
	}
	if len(l.ring) == Remembered {
		oldest := &l.ring[0]
		l.kept[oldest.partition] = oldest.offset + 1
		l.ring[0] = lead{}
		l.ring = l.ring[1:]
		l.first++
	}
	l.ring = append(l.ring, lead{partition, offset, value})
	l.next[partition] = offset + 1
	l.wake()
}

func (l *Leads) wake() {
	close(l.more)
	l.more = make(chan struct{})
}

// Event is a fact as a client gets it.
type Event struct {
	ID   string // what Follow takes to go on behind it
	Type string
	Data []byte // JSON
}

// gap is the type of the event that says that some are left out.
const gap = "gap"

var errClosed = fmt.Errorf("%w: the instance stops", ErrUnavailable)

// Stream is what one client follows. It is not safe for concurrent use.
type Stream struct {
	leads *Leads
	topic uint32
	seen  []int64 // by partition, the offset after the last fact that the client has seen
	at    uint64  // number of the next to look at
	gap   bool    // facts were left out that the client has not been told of
}

// Follow returns what comes after the event with an id, or from now on when it is empty. ErrQuery, ErrUnavailable.
func (l *Leads) Follow(after string) (*Stream, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.next == nil {
		return nil, fmt.Errorf("%w: the topic of PQL events has not been read yet: try again in a moment", ErrUnavailable)
	}
	s := &Stream{leads: l, topic: l.topic}
	if after == "" {
		s.seen, s.at = slices.Clone(l.next), l.first+uint64(len(l.ring))
		for p, end := range l.ends { // what was before may not have been read yet
			s.seen[p] = max(s.seen[p], end)
		}
		return s, nil
	}
	topic, seen, err := parsePosition(after)
	if err != nil {
		return nil, fmt.Errorf("%w: Last-Event-ID: %w", ErrQuery, err)
	}
	if s.at = l.first; topic != l.topic || len(seen) != len(l.next) {
		s.gap, s.seen = true, slices.Clone(l.kept)
		return s, nil
	}
	s.seen = seen
	s.miss()
	return s, nil
}

// miss notes what the client has not seen and the ring does not have any more. The caller holds the lock.
func (s *Stream) miss() {
	for p, kept := range s.leads.kept {
		if s.seen[p] < kept {
			s.seen[p], s.gap = kept, true
		}
	}
}

// Next returns the next event. It waits for one as long as it takes, but not longer than the patience: then it returns nil.
// ErrUnavailable once the leads are closed.
func (s *Stream) Next(ctx context.Context, patience time.Duration) (*Event, error) {
	over := time.NewTimer(patience)
	defer over.Stop()
	for {
		e, more := s.take()
		if e != nil {
			return e, nil
		}
		select {
		case <-more:
		case <-over.C:
			return nil, nil
		case <-s.leads.closed:
			return nil, errClosed
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// take returns the next event if there is one, else what is closed when there may be.
func (s *Stream) take() (*Event, <-chan struct{}) {
	l := s.leads
	l.mu.Lock()
	defer l.mu.Unlock()
	s.catchUp()
	for !s.gap && s.at < l.first+uint64(len(l.ring)) {
		next := &l.ring[s.at-l.first]
		s.at++
		if next.offset < s.seen[next.partition] {
			continue
		}
		s.seen[next.partition] = next.offset + 1
		kind, data, err := decodeLead(next.value)
		if err != nil {
			s.gap = true // a newer version has written what this one can't read
			break
		}
		return &Event{s.position(), kind, data}, nil
	}
	if s.gap {
		s.gap = false
		return &Event{s.position(), gap, []byte("{}")}, nil
	}
	return nil, l.more
}

// catchUp notices that the ring has moved on beyond the client, or was begun anew. The caller holds the lock.
func (s *Stream) catchUp() {
	l := s.leads
	if s.at >= l.first {
		return
	}
	s.at = l.first
	if s.topic != l.topic || len(s.seen) != len(l.kept) {
		s.topic, s.seen, s.gap = l.topic, slices.Clone(l.kept), true
		return
	}
	s.miss()
}

// position is where the client stands, as an id.
func (s *Stream) position() string {
	b := binary.BigEndian.AppendUint32(nil, s.topic)
	for _, offset := range s.seen {
		b = binary.AppendUvarint(b, uint64(offset))
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

func parsePosition(id string) (topic uint32, seen []int64, err error) {
	b, err := base64.RawURLEncoding.DecodeString(id)
	if err != nil || len(b) < 4 {
		return 0, nil, fmt.Errorf("%q is no id of an event", id)
	}
	topic, b = binary.BigEndian.Uint32(b), b[4:]
	for len(b) > 0 {
		offset, n := binary.Uvarint(b)
		if n <= 0 || offset > 1<<62 {
			return 0, nil, fmt.Errorf("%q is no id of an event", id)
		}
		seen, b = append(seen, int64(offset)), b[n:]
	}
	return topic, seen, nil
}
