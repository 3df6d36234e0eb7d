package servers

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
)

// Ports come from below the range that Linux takes ephemeral ports from: a client that redials a server that is down
// could be given that very port as its own, and then would talk to itself while the server can't come back.
const (
	firstPort = 20000
	lastPort  = 32000
)

var given = struct {
	sync.Mutex
	ports map[int]bool
}{ports: map[int]bool{}}

// freePort returns a port of 127.0.0.1 on which nothing listens and which this process was not given before.
func freePort() (int, error) {
	given.Lock()
	defer given.Unlock()
	for range 1000 {
		port := firstPort + rand.IntN(lastPort-firstPort)
		if given.ports[port] {
			continue
		}
		l, err := net.Listen("tcp", address(port))
		if err != nil {
			continue
		}
		given.ports[port] = true
		return port, l.Close()
	}
	return 0, fmt.Errorf("finding a free port: none of 1,000 tried from %d to %d is", firstPort, lastPort)
}

func address(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
