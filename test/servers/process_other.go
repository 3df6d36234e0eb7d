//go:build !linux

package servers

import (
	"fmt"
	"net"
	"syscall"
)

// ownChild keeps the terminal's Ctrl-C, which reaches the test, from a child.
func ownChild() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}

// owns returns nil when something listens on a port: whose it is, only Linux tells.
func owns(_, port int) error {
	c, err := net.Dial("tcp", address(port))
	if err != nil {
		return fmt.Errorf("nothing listens on port %d: %w", port, err)
	}
	return c.Close()
}
