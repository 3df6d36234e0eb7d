package docs

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/embedded"
)

// binary is pqlstream, as it is built for readers.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "docs")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(dir, "pqlstream")
	build := exec.CommandContext(context.Background(), "go", "build", "-o", binary, "./cmd/pqlstream")
	build.Dir, build.Stderr = root, os.Stderr
	code := 1
	if build.Run() == nil {
		code = m.Run()
	}
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// patience is how long a test waits for what must come.
const patience = 60 * time.Second

// reader is somebody who follows a page: in a folder with what pages take for granted.
type reader struct {
	t   *testing.T
	dir string
	env []string
}

func newReader(t *testing.T) *reader {
	t.Helper()
	r := &reader{t: t, dir: t.TempDir()}
	absolute, err := filepath.Abs(root)
	require.NoError(t, err)
	require.NoError(t, os.Symlink(filepath.Join(absolute, "config"), filepath.Join(r.dir, "config")))
	r.write("my-checklist.yaml", read(t, "config/checklists/simple.yaml"))
	r.write("checklist.yaml", read(t, "config/checklists/simple.yaml"))
	r.write("scenarios/a.scenario", "checklist: ../my-checklist.yaml\n\nscenario: nothing happens\n  +1d time passes\n")
	return r
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	require.NoError(t, err)
	return string(text)
}

// write writes a file, and returns its path.
func (r *reader) write(name, text string) string {
	r.t.Helper()
	path := filepath.Join(r.dir, name)
	require.NoError(r.t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(r.t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// command is pqlstream with arguments, as the reader would start it.
func (r *reader) command(ctx context.Context, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, binary, args...)
	c.Dir, c.Env = r.dir, append(os.Environ(), r.env...)
	return c
}

// run runs a command to its end.
func (r *reader) run(args ...string) (code int, output string) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	c := r.command(ctx, args...)
	out, err := c.CombinedOutput()
	require.NoError(r.t, ctx.Err(), "%v: %s", args, out)
	if exit, ok := err.(*exec.ExitError); ok { //nolint:errorlint // exec documents that it is not wrapped
		return exit.ExitCode(), string(out)
	}
	require.NoError(r.t, err)
	return 0, string(out)
}

var (
	comment    = regexp.MustCompile(`\s+#\s.*$`)
	invocation = regexp.MustCompile(`(?:^|\()(?:bin/)?pqlstream((?: [^|><)]*)?)`)
	word       = regexp.MustCompile(`'[^']*'|"[^"]*"|\S+`)
)

// commandsIn returns the arguments of each pqlstream that a block starts, and the targets that it has make build. The other lines are what a
// command answers. It is no block of commands if it does not begin with one.
func commandsIn(text string) (pqlstream [][]string, targets []string, ok bool) {
	for i, line := range strings.Split(strings.ReplaceAll(text, "\\\n", " "), "\n") {
		line = strings.TrimSpace(comment.ReplaceAllString(line, ""))
		if target, is := strings.CutPrefix(line, "make "); is {
			targets = append(targets, target)
			continue
		}
		m := invocation.FindStringSubmatch(line)
		if m == nil && i == 0 {
			return nil, nil, false
		}
		if m != nil {
			args := []string{}
			for _, w := range word.FindAllString(m[1], -1) {
				args = append(args, strings.Trim(w, `'"`))
			}
			pqlstream = append(pqlstream, args)
		}
	}
	return pqlstream, targets, true
}

// alone are the commands that need nothing but what the folder has.
var alone = []string{"checklist check", "checklist schema", "completion", "schemas export", "test", "version"}

// follow runs a command that can be run alone, and has the others say whether they have such flags.
func (r *reader) follow(at string, args []string) {
	r.t.Helper()
	line := strings.Join(args, " ")
	if !slices.ContainsFunc(alone, func(c string) bool { return strings.HasPrefix(line, c) }) {
		args = append(args, "--help")
	}
	code, out := r.run(args...)
	assert.Zero(r.t, code, "%s: pqlstream %s: %s", at, line, out)
	assert.NotContains(r.t, out, "[command] --help", "%s: pqlstream %s is no command", at, line)
}

// A first deployment, word by word, but for the addresses: Kafka and Redis are those in this process.
func TestTheFirstDeployment(t *testing.T) {
	servers, err := embedded.Start(embedded.Options{})
	require.NoError(t, err)
	t.Cleanup(servers.Close)
	r := newReader(t)
	address := freeAddress(t)
	r.env = []string{
		"PQLSTREAM_KAFKA_BROKERS=" + strings.Join(servers.Brokers(), ","), "PQLSTREAM_REDIS_ADDRESSES=" + servers.RedisAddr(),
		"PQLSTREAM_HTTP_ADDRESS=" + address, "PQLSTREAM_API_ADDRESS=" + freeAddress(t),
	}
	blocks := blocksOf("README.md", read(t, "README.md"))
	first := slices.IndexFunc(blocks, func(b block) bool { return strings.Contains(b.text, "pqlstream schemas export avro") })
	require.Positive(t, first)
	require.Equal(t, "yaml", blocks[first-1].language)
	r.write("pqlstream.yaml", blocks[first-1].text)
	commands, _, ok := commandsIn(blocks[first].text)
	require.True(t, ok)
	done := map[string]bool{}
	for _, args := range commands {
		done[args[0]] = true
		switch args[0] {
		case "run":
			r.start(address, args)
		case "explain":
			require.Eventually(t, func() bool { code, _ := r.run(args...); return code == 0 }, patience, 100*time.Millisecond, "%v", args)
		case "metrics":
			code, out := r.run(args...)
			assert.Equal(t, 4, code, "they are not enabled: %s", out)
			assert.Contains(t, out, "metrics.enabled")
		default:
			code, out := r.run(args...)
			require.Zero(t, code, "%v: %s", args, out)
		}
	}
	for _, name := range []string{"schemas", "config", "simulate", "topics", "run", "explain"} {
		assert.True(t, done[name], name)
	}
}

// start starts a process, which is stopped when the test ends, and waits until it is ready.
func (r *reader) start(address string, args []string) {
	r.t.Helper()
	var log bytes.Buffer
	c := r.command(context.WithoutCancel(r.t.Context()), args...)
	c.Stdout, c.Stderr = &log, &log
	require.NoError(r.t, c.Start())
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	r.t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGTERM)
		assert.NoError(r.t, <-ended, "%s", &log)
	})
	require.Eventually(r.t, func() bool {
		answer, err := http.Get(fmt.Sprintf("http://%s/readyz", address))
		if err != nil {
			return false
		}
		answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	}, patience, 50*time.Millisecond, "%v", args)
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}
