package servers

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// ownChild makes a child die with this process, and out of reach of the terminal's Ctrl-C, which reaches the test.
func ownChild() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// owns returns nil when a process is the one that listens on a port.
func owns(pid, port int) error {
	listeners := map[string]bool{}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		if err := addListeners(listeners, table, port); err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("looking for the listener of port %d: %w", port, err)
		}
	}
	if len(listeners) == 0 {
		return fmt.Errorf("nothing listens on port %d", port)
	}
	fds := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(fds)
	if err != nil {
		return fmt.Errorf("looking for the listener of port %d: %w", port, err)
	}
	for _, e := range entries {
		if target, err := os.Readlink(filepath.Join(fds, e.Name())); err == nil && listeners[target] {
			return nil
		}
	}
	return fmt.Errorf("another process than %d listens on port %d", pid, port)
}

// addListeners adds the sockets, named as in /proc/PID/fd, that listen on a port.
func addListeners(sockets map[string]bool, table string, port int) error {
	f, err := os.Open(table)
	if err != nil {
		return err
	}
	defer f.Close()
	const local, state, inode, listen = 1, 3, 9, "0A"
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) <= inode || fields[state] != listen {
			continue
		}
		_, hex, _ := strings.Cut(fields[local], ":")
		if n, err := strconv.ParseUint(hex, 16, 16); err == nil && int(n) == port {
			sockets["socket:["+fields[inode]+"]"] = true
		}
	}
	return lines.Err()
}
