package stream

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// wire is one process's way to the brokers. It can be cut and held up at a chosen request, so that a process is stopped
// as SIGSTOP and SIGKILL stop it: at one point between two requests, with everything else of it as it was.
type wire struct {
	mu    sync.Mutex
	moved *sync.Cond // when anything below changes
	held  bool       // nothing passes in either direction
	dead  bool       // every connection is cut, and no new one comes about
	conns map[*wiredConn]struct{}
	traps []*trap
}

// trap is what happens to one request of a kind.
type trap struct {
	key   kmsg.Key
	skip  int                               // so many requests pass unharmed before
	when  func(kmsg.Request) bool           // further selects requests; nil: any
	do    fate                              // what happens to the request
	alter func(kmsg.Request, []byte) []byte // changes the answer, without size and correlation id
	hit   chan struct{}                     // closed when it has happened
}

type fate int

const (
	cutBefore fate = iota // the connection is cut, the request lost
	cutAfter              // the request is processed, the connection cut instead of the answer
	hold                  // everything stands still before the request is sent
	kill                  // the process loses its network for good before the request is sent
	alterAnswer
)

func newWire() *wire {
	w := &wire{conns: map[*wiredConn]struct{}{}}
	w.moved = sync.NewCond(&w.mu)
	return w
}

// trap lays one.
func (w *wire) trap(x trap) *trap {
	x.hit = make(chan struct{})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.traps = append(w.traps, &x)
	return &x
}

// await waits until the trap has been hit.
func (x *trap) await(t *testing.T) {
	t.Helper()
	select {
	case <-x.hit:
	case <-time.After(patienceOfTests):
		require.FailNow(t, "the fault was not hit", "request %s", x.key.Name())
	}
}

func (x *trap) wasHit() bool {
	select {
	case <-x.hit:
		return true
	default:
		return false
	}
}

// release lets everything pass that is held up.
func (w *wire) release() {
	w.mu.Lock()
	w.held = false
	w.mu.Unlock()
	w.moved.Broadcast()
}

// stop holds everything up.
func (w *wire) stop() {
	w.mu.Lock()
	w.held = true
	w.mu.Unlock()
}

// kill cuts the process off for good.
func (w *wire) kill() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.killLocked()
}

func (w *wire) killLocked() {
	w.dead, w.held = true, false
	for c := range w.conns {
		_ = c.Conn.Close()
	}
	w.moved.Broadcast()
}

func (w *wire) dial(ctx context.Context, network, address string) (net.Conn, error) {
	w.mu.Lock()
	dead := w.dead
	w.mu.Unlock()
	if dead {
		return nil, errCut
	}
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c := &wiredConn{Conn: conn, wire: w, requests: map[uint32]sentRequest{}}
	w.mu.Lock()
	w.conns[c] = struct{}{}
	w.mu.Unlock()
	return c, nil
}

var errCut = errors.New("the connection was cut by the test")

// wiredConn sees every request and every answer whole.
type wiredConn struct {
	net.Conn
	wire     *wire
	answer   bytes.Reader
	closed   bool                   // guarded by the wire's lock
	requests map[uint32]sentRequest // those whose answers get harmed, by correlation id; guarded by the wire's lock
}

type sentRequest struct {
	trap    *trap
	request kmsg.Request
}

// Close implements net.Conn.
func (c *wiredConn) Close() error {
	c.wire.mu.Lock()
	c.closed = true
	delete(c.wire.conns, c)
	c.wire.mu.Unlock()
	c.wire.moved.Broadcast()
	return c.Conn.Close()
}

// passes waits while the wire is held up. The caller holds its lock.
func (c *wiredConn) passes() error {
	for c.wire.held && !c.closed && !c.wire.dead {
		c.wire.moved.Wait()
	}
	if c.closed || c.wire.dead {
		return errCut
	}
	return nil
}

// Write sends one request: the client writes each whole.
func (c *wiredConn) Write(b []byte) (int, error) {
	c.wire.mu.Lock()
	err := c.passes()
	if err == nil {
		err = c.spring(b)
	}
	c.wire.mu.Unlock()
	if err != nil {
		_ = c.Close()
		return 0, err
	}
	return c.Conn.Write(b)
}

// spring lets the first trap for a request happen.
func (c *wiredConn) spring(b []byte) error {
	w := c.wire
	for i, x := range w.traps {
		if int16(binary.BigEndian.Uint16(b[4:])) != x.key.Int16() {
			continue
		}
		request := parseRequest(b)
		if x.when != nil && !x.when(request) {
			continue
		}
		if x.skip > 0 {
			x.skip--
			continue
		}
		w.traps = append(w.traps[:i:i], w.traps[i+1:]...)
		switch x.do {
		case cutAfter, alterAnswer: // hit when the answer comes
			c.requests[binary.BigEndian.Uint32(b[8:])] = sentRequest{x, request}
			return nil
		case hold:
			w.held = true
		case kill:
			w.killLocked()
		}
		close(x.hit)
		if x.do == cutBefore {
			return errCut
		}
		return c.passes()
	}
	return nil
}

func parseRequest(b []byte) kmsg.Request {
	request := kmsg.RequestForKey(int16(binary.BigEndian.Uint16(b[4:])))
	request.SetVersion(int16(binary.BigEndian.Uint16(b[6:])))
	at := 12
	if n := int16(binary.BigEndian.Uint16(b[at:])); n > 0 { // the client id
		at += int(n)
	}
	at += 2
	if request.IsFlexible() {
		at++ // no tags
	}
	_ = request.ReadFrom(b[at:])
	return request
}

// Read returns the answers' bytes.
func (c *wiredConn) Read(p []byte) (int, error) {
	if c.answer.Len() == 0 {
		frame, err := c.next()
		if err != nil {
			return 0, err
		}
		c.answer.Reset(frame)
	}
	return c.answer.Read(p)
}

func (c *wiredConn) next() ([]byte, error) {
	size := make([]byte, 4)
	if _, err := io.ReadFull(c.Conn, size); err != nil {
		return nil, err
	}
	frame := make([]byte, 4+binary.BigEndian.Uint32(size))
	copy(frame, size)
	if _, err := io.ReadFull(c.Conn, frame[4:]); err != nil {
		return nil, err
	}
	c.wire.mu.Lock()
	defer c.wire.mu.Unlock()
	if err := c.passes(); err != nil {
		return nil, err
	}
	id := binary.BigEndian.Uint32(frame[4:])
	sent, harmed := c.requests[id]
	if !harmed {
		return frame, nil
	}
	delete(c.requests, id)
	close(sent.trap.hit)
	if sent.trap.do == cutAfter {
		_ = c.Conn.Close()
		return nil, errCut
	}
	body := sent.trap.alter(sent.request, frame[8:])
	binary.BigEndian.PutUint32(frame, uint32(4+len(body)))
	return append(frame[:8:8], body...), nil
}

// alterProduced makes a trap's alter of what changes a partition's part of a produce answer.
func alterProduced(change func(t *kmsg.ProduceResponseTopic, p *kmsg.ProduceResponseTopicPartition)) func(kmsg.Request, []byte) []byte {
	return func(request kmsg.Request, body []byte) []byte {
		resp := request.ResponseKind().(*kmsg.ProduceResponse)
		head := 0
		if resp.IsFlexible() {
			head = 1
		}
		if err := resp.ReadFrom(body[head:]); err != nil {
			return body
		}
		for i := range resp.Topics {
			for j := range resp.Topics[i].Partitions {
				change(&resp.Topics[i], &resp.Topics[i].Partitions[j])
			}
		}
		return resp.AppendTo(append([]byte{}, body[:head]...))
	}
}
