package redisstate

import (
	"bytes"
	"net"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// proxy passes requests to a Redis and loses some of the replies to scripts and transactions, together with the
// connection: they have run, and their caller can't know.
type proxy struct {
	addr   string
	target string
	every  atomic.Int64 // loses each so-many-th reply; 0: none
	runs   atomic.Int64
	lost   atomic.Int64
}

func startProxy(t *testing.T, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	p := &proxy{addr: l.Addr().String(), target: target}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(client)
		}
	}()
	return p
}

func (p *proxy) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer server.Close()
	var lose atomic.Bool
	go func() {
		defer server.Close()
		b := make([]byte, 1<<16)
		for {
			n, err := client.Read(b)
			if err != nil {
				return
			}
			if every := p.every.Load(); every > 0 && runs(b[:n]) && p.runs.Add(1)%every == 0 {
				lose.Store(true)
			}
			if _, err := server.Write(b[:n]); err != nil {
				return
			}
		}
	}()
	b := make([]byte, 1<<16)
	for {
		n, err := server.Read(b)
		if err != nil {
			return
		}
		if lose.Load() {
			p.lost.Add(1)
			return
		}
		if _, err := client.Write(b[:n]); err != nil {
			return
		}
	}
}

// runs says whether a request runs a script or a transaction.
func runs(request []byte) bool {
	return bytes.Contains(request, []byte("evalsha")) || bytes.Contains(request, []byte("\r\nexec\r\n"))
}
