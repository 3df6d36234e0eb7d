package servers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	startPatience = 60 * time.Second // for a server to answer
	stopPatience  = 30 * time.Second // for a process to end after SIGTERM
	pollInterval  = 20 * time.Millisecond
	logTail       = 4 << 10 // bytes of a process's output that errors and failed tests show
)

// Process is a program that a test runs and may kill, pause and start again. Its methods may be called concurrently,
// and from any goroutine: they return errors instead of ending the test.
type Process struct {
	name string
	path string
	args []string
	log  string                      // stdout and stderr of all its runs
	up   func(context.Context) error // nil once it is ready to be used
	with func(*exec.Cmd)             // sets what else the process is started with: its user, its environment
	term syscall.Signal              // asks it to end

	turn sync.Mutex // one start or stop at a time
	mu   sync.Mutex // guards run
	run  *run       // the newest run; nil before the first
}

// run is one life of a process.
type run struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when the process was waited for; cmd.ProcessState is valid then
}

// StartProcess runs a program for the test. It is killed when the test ends, and with the test's process; its output
// goes to a file, see Output.
func StartProcess(tb testing.TB, path string, args ...string) *Process {
	tb.Helper()
	p := newProcess(tb, filepath.Base(path), path, args...)
	if err := p.Restart(); err != nil {
		tb.Fatal(err)
	}
	return p
}

// newProcess prepares a process whose output and last moments belong to the test.
func newProcess(tb testing.TB, name, path string, args ...string) *Process {
	p := &Process{
		name: name,
		path: path,
		args: args,
		log:  filepath.Join(tb.TempDir(), name+".log"),
		up:   func(context.Context) error { return nil },
		with: func(*exec.Cmd) {},
		term: syscall.SIGTERM,
	}
	tb.Cleanup(func() {
		if err := p.Kill(); err != nil {
			tb.Error(err)
		}
		if tb.Failed() {
			tb.Logf("the end of what %s wrote:\n%s", name, p.tail())
		}
	})
	return p
}

// PID returns the id of the process, that of the newest run when it has ended, and 0 when it never ran.
func (p *Process) PID() int {
	if r := p.current(); r != nil {
		return r.cmd.Process.Pid
	}
	return 0
}

// Done is closed when the newest run has ended, by whatever cause.
func (p *Process) Done() <-chan struct{} {
	if r := p.current(); r != nil {
		return r.ended
	}
	never := make(chan struct{})
	close(never)
	return never
}

// ExitCode waits for the newest run's end and returns its exit code, -1 when a signal ended it.
func (p *Process) ExitCode() int {
	r := p.current()
	if r == nil {
		return -1
	}
	<-r.ended
	return r.cmd.ProcessState.ExitCode()
}

// Output returns all that the process wrote so far to stdout and stderr, in all its runs.
func (p *Process) Output() string {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// Stop asks the process to end (SIGTERM, or what else the server takes for that) and waits until it has. One that takes longer
// than 30 s is killed, which is an error. Without effect when it has ended already.
func (p *Process) Stop() error {
	p.turn.Lock()
	defer p.turn.Unlock()
	return p.end(p.term)
}

// Kill ends the process at once (SIGKILL) and waits until it is gone. Without effect when it has ended already.
func (p *Process) Kill() error {
	p.turn.Lock()
	defer p.turn.Unlock()
	return p.end(syscall.SIGKILL)
}

// Restart starts the process again, with the same arguments, and waits until it is ready. One that runs is stopped
// first, as Stop does it.
func (p *Process) Restart() error {
	p.turn.Lock()
	defer p.turn.Unlock()
	if err := p.end(p.term); err != nil {
		return err
	}
	return p.start()
}

// Pause freezes the process (SIGSTOP): its connections stay open and nothing answers.
func (p *Process) Pause() error { return p.signal(syscall.SIGSTOP) }

// Continue wakes a paused process (SIGCONT).
func (p *Process) Continue() error { return p.signal(syscall.SIGCONT) }

func (p *Process) signal(s syscall.Signal) error {
	r := p.current()
	if r == nil {
		return fmt.Errorf("sending %s a %v: it never ran", p.name, s)
	}
	if err := r.cmd.Process.Signal(s); err != nil {
		return fmt.Errorf("sending %s a %v: %w", p.name, s, err)
	}
	return nil
}

func (p *Process) current() *run {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.run
}

// start runs the program and waits until it is up. The caller holds turn.
func (p *Process) start() error {
	r, err := launch(p.path, p.args, p.log, p.with)
	if err != nil {
		return fmt.Errorf("starting %s: %w", p.name, err)
	}
	p.mu.Lock()
	p.run = r
	p.mu.Unlock()
	if err := p.await(r); err != nil {
		return fmt.Errorf("starting %s: %w; the end of what it wrote:\n%s", p.name, err, p.tail())
	}
	return nil
}

// await returns when the process is up, or can't be expected to be any more.
func (p *Process) await(r *run) error {
	ctx, cancel := context.WithTimeout(context.Background(), startPatience)
	defer cancel()
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()
	for {
		err := p.up(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-r.ended:
			return fmt.Errorf("it ended: %v", r.cmd.ProcessState)
		case <-ctx.Done():
			return fmt.Errorf("not ready after %v: %w", startPatience, err)
		case <-poll.C:
		}
	}
}

// end sends the signal that ends the process and waits for its end. The caller holds turn.
func (p *Process) end(s syscall.Signal) error {
	r := p.current()
	if r == nil {
		return nil
	}
	signals := []syscall.Signal{s, syscall.SIGCONT} // a paused process would not see a SIGTERM
	for _, s := range signals {
		if err := r.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("sending %s a %v: %w", p.name, s, err)
		}
	}
	select {
	case <-r.ended:
		return nil
	case <-time.After(stopPatience):
	}
	if err := r.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("killing %s: %w", p.name, err)
	}
	<-r.ended
	return fmt.Errorf("stopping %s: it still ran %v after a %v and was killed", p.name, stopPatience, s)
}

// tail returns the end of what the process wrote.
func (p *Process) tail() string {
	out := p.Output()
	if len(out) > logTail {
		out = out[len(out)-logTail:]
		out = out[strings.IndexByte(out, '\n')+1:]
	}
	return out
}

// launch starts a program whose output is added to a file.
//
// The signal that kills the child with its parent is sent when the parent's *thread* ends, so the thread that starts
// the child is kept until the child has ended.
func launch(path string, args []string, log string, with func(*exec.Cmd)) (*run, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	r := &run{cmd: exec.Command(path, args...), ended: make(chan struct{})}
	r.cmd.Stdout, r.cmd.Stderr = out, out
	r.cmd.SysProcAttr = ownChild()
	with(r.cmd)
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(r.ended)
		err := r.cmd.Start()
		out.Close() // the child has its own
		started <- err
		if err == nil {
			_ = r.cmd.Wait() // how it ended is in ProcessState
		}
	}()
	return r, <-started
}
