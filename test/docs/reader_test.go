package docs

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// binary is pqlstream, as it is built for readers.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "docs")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(dir, "bin", "pqlstream")
	build := exec.CommandContext(context.Background(), "go", "build", "-o", binary, "./cmd/pqlstream")
	build.Dir, build.Stderr = root, os.Stderr
	export := exec.CommandContext(context.Background(), binary, "schemas", "export", filepath.Join(dir, "avro"))
	code := 1
	if build.Run() == nil && export.Run() == nil {
		code = m.Run()
	}
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// patience is how long a test waits for what must come.
const patience = 60 * time.Second

// reader is somebody who follows a page: in a folder with what pages take for granted, and with a deployment.
type reader struct {
	t   *testing.T
	dir string
	at  place // where what pages call localhost is; empty: nowhere
}

func newReader(t *testing.T, at place) *reader {
	t.Helper()
	r := &reader{t: t, dir: t.TempDir(), at: at}
	r.prepare("")
	return r
}

// prepare puts into the folder what a block of commands takes for granted, and nothing else.
func (r *reader) prepare(block string) {
	r.t.Helper()
	left, err := os.ReadDir(r.dir)
	require.NoError(r.t, err)
	for _, entry := range left {
		require.NoError(r.t, os.RemoveAll(filepath.Join(r.dir, entry.Name())))
	}
	absolute, err := filepath.Abs(root)
	require.NoError(r.t, err)
	for from, to := range map[string]string{filepath.Join(absolute, "config"): "config", filepath.Dir(binary): "bin", filepath.Join(filepath.Dir(binary), "..", "avro"): "avro"} {
		require.NoError(r.t, os.Symlink(from, filepath.Join(r.dir, to)))
	}
	for _, folder := range []string{".config/fish/completions", "zsh", "build"} {
		require.NoError(r.t, os.MkdirAll(filepath.Join(r.dir, folder), 0o755))
	}
	list := read(r.t, "config/checklists/simple.yaml")
	for _, name := range []string{"my-checklist.yaml", "checklist.yaml", "checklists/a.yaml", "checklists/b.yaml", "checklists/new.yaml"} {
		if name != "checklist.yaml" || !strings.Contains(block, "checklist init") { // which starts it
			r.write(name, list)
		}
	}
	scenario := "checklist: ../my-checklist.yaml\n\nscenario: nothing happens in a trial\n  +1d time passes\n"
	r.write("scenarios/a.scenario", scenario)
	r.write("checklists/signup.scenario", scenario)
	r.write("pqlstream.yaml", settingsOfTheDeployment(r.t))
	r.write("pqlstream2.yaml", merged(r.t, settingsOfTheDeployment(r.t), settingsToBeginAnew(r.t)))
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

// shell is a line as the reader would type it, but for the addresses.
func (r *reader) shell(ctx context.Context, line string) *exec.Cmd {
	// Only zsh has fpath.
	c := exec.CommandContext(ctx, "bash", "-o", "pipefail", "-c", "fpath=(. zsh)\n"+r.at.addressed(line))
	c.Dir = r.dir
	c.Env = append(os.Environ(), "HOME="+r.dir, "PATH="+filepath.Join(r.dir, "bin")+":"+os.Getenv("PATH"), "TERM=xterm", "NO_COLOR=1", "CI=1")
	c.Env = append(c.Env, r.at.env()...)
	return c
}

// sh runs a line to its end.
func (r *reader) sh(line string) (code int, output string) {
	r.t.Helper()
	return r.finish(func(ctx context.Context) *exec.Cmd { return r.shell(ctx, line) })
}

// run runs pqlstream to its end.
func (r *reader) run(args ...string) (code int, output string) {
	r.t.Helper()
	return r.finish(func(ctx context.Context) *exec.Cmd {
		c := exec.CommandContext(ctx, binary, args...)
		c.Dir, c.Env = r.dir, append(os.Environ(), r.at.env()...)
		return c
	})
}

func (r *reader) finish(start func(context.Context) *exec.Cmd) (code int, output string) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	c := start(ctx)
	out, err := c.CombinedOutput()
	require.NoError(r.t, ctx.Err(), "%v: %s", c.Args, out)
	return exitCode(r.t, err), string(out)
}

func exitCode(t *testing.T, err error) int {
	t.Helper()
	if exit, ok := err.(*exec.ExitError); ok { //nolint:errorlint // exec documents that it is not wrapped
		return exit.ExitCode()
	}
	require.NoError(t, err)
	return 0
}
