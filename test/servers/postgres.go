package servers

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// Postgres is a PostgreSQL server of the test's own. Its data outlives Stop and Restart; after a Kill, its own children may
// be in the way of the next. Over TCP it wants passwords; its superuser, postgres, has none, and connects through SQL only.
type Postgres struct {
	*Process
	bin    string // folder of its programs
	dir    string // folder of its data and its socket
	port   int
	become func(*exec.Cmd)
}

// StartPostgres starts a PostgreSQL server and waits until it answers. It refuses to run as root: if the test does, it runs as the
// user postgres, whom Debian's package makes, or as nobody.
func StartPostgres(tb testing.TB) *Postgres {
	tb.Helper()
	bin, err := findPostgres()
	if err != nil {
		lacking(tb, "PostgreSQL: "+err.Error())
	}
	p, err := newPostgres(tb, bin)
	if err == nil {
		err = p.Restart()
	}
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// findPostgres returns the folder of PostgreSQL's programs: the newest where Debian puts them, which is not in the path, or that of
// the path.
func findPostgres() (string, error) {
	if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb"); len(found) > 0 {
		newest := slices.MaxFunc(found, func(a, b string) int { return majorIn(a) - majorIn(b) })
		return filepath.Dir(newest), nil
	}
	path, err := exec.LookPath("initdb")
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	if err != nil {
		return "", fmt.Errorf("%w: install PostgreSQL (Debian: apt-get install postgresql; macOS: brew install postgresql)", err)
	}
	return filepath.Dir(path), nil
}

// majorIn returns the version in the path of a program of Debian's.
func majorIn(path string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
	return n
}

// newPostgres prepares a server: a port, and a folder that belongs to the user who runs it.
func newPostgres(tb testing.TB, bin string) (*Postgres, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "pg") //nolint:usetesting // nobody else may enter the test's folders; and sockets must have short names
	if err != nil {
		return nil, err
	}
	tb.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			tb.Error(err)
		}
	})
	become, err := other(dir)
	if err != nil {
		return nil, fmt.Errorf("preparing PostgreSQL: %w", err)
	}
	data := filepath.Join(dir, "data")
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync",
		"--auth-local=trust", "--auth-host=scram-sha-256")
	become(initdb)
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("preparing PostgreSQL: %w:\n%s", err, out)
	}
	p := &Postgres{bin: bin, dir: dir, port: port, become: become}
	p.Process = newProcess(tb, "postgres", filepath.Join(bin, "postgres"), "-D", data, "-k", dir, "-h", "127.0.0.1", "-p", strconv.Itoa(port),
		"-c", "fsync=off", "-c", "timezone=Pacific/Auckland") // a zone that nothing else has, so that times can't be right by chance
	p.up, p.with, p.term = p.answers, become, syscall.SIGINT // which doesn't wait for clients to leave
	tb.Cleanup(func() {
		if err := p.Stop(); err != nil { // a killed one leaves shared memory behind
			tb.Error(err)
		}
	})
	return p, nil
}

// other gives a folder to another user if this one is root, and returns what has commands run as the folder's owner.
func other(dir string) (become func(*exec.Cmd), err error) {
	if os.Geteuid() != 0 {
		return func(*exec.Cmd) {}, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		u, err = user.Lookup("nobody")
	}
	if err != nil {
		return nil, fmt.Errorf("it refuses to run as root, and there is no other user: %w", err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	return func(c *exec.Cmd) {
		if c.SysProcAttr == nil {
			c.SysProcAttr = ownChild()
		}
		c.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		c.Dir = dir // where it is may be out of the user's reach
	}, os.Chown(dir, int(uid), int(gid))
}

// Addr returns host and port.
func (p *Postgres) Addr() string { return address(p.port) }

// SQL runs statements as the superuser in a database and returns what they print: a line for each row, columns with | between them.
func (p *Postgres) SQL(ctx context.Context, database, statements string) (string, error) {
	c := exec.CommandContext(ctx, filepath.Join(p.bin, "psql"), "-h", p.dir, "-p", strconv.Itoa(p.port), "-U", "postgres", "-d", database,
		"-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-f", "-")
	c.Stdin = strings.NewReader(statements)
	var out, wrong strings.Builder
	c.Stdout, c.Stderr = &out, &wrong
	p.become(c)
	if err := c.Run(); err != nil {
		return "", fmt.Errorf("psql: %w: %s", err, wrong.String())
	}
	return out.String(), nil
}

func (p *Postgres) answers(ctx context.Context) error {
	if err := owns(p.PID(), p.port); err != nil {
		return err
	}
	_, err := p.SQL(ctx, "postgres", "select 1")
	return err
}
