package servers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Connect is a Kafka Connect of the test's own, in one process (standalone), with one sink. Kafka keeps how far it has come.
type Connect struct {
	*Process
	port int
	sink string // its name
}

// ConnectFiles are the settings of a Kafka Connect as its users have them, and the few that differ in a test.
type ConnectFiles struct {
	Worker string // file of Kafka Connect itself
	Sink   string // file of the sink

	SetWorker map[string]string // over the file
	SetSink   map[string]string
	Env       []string // NAME=value, beside the test's own
}

// StartConnect starts a Kafka Connect and waits until its sink runs. The jars are those that `make connect` brings.
func StartConnect(tb testing.TB, f ConnectFiles) *Connect {
	tb.Helper()
	java, jars, err := findConnect()
	if err != nil {
		lacking(tb, "Kafka Connect: "+err.Error())
	}
	c, err := newConnect(tb, java, jars, f)
	if err == nil {
		err = c.Restart()
	}
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// ConnectPlugins returns the folder of the connectors that `make connect` brings.
func ConnectPlugins() (string, error) {
	root, err := moduleRoot()
	return filepath.Join(root, "build", "connect", "plugins"), err
}

// findConnect returns the java command and the folder of Kafka Connect's jars. The error says what is missing and the remedy.
func findConnect() (java, jars string, err error) {
	java, err = findJava()
	if err != nil {
		return "", "", fmt.Errorf("%w: install a JDK %d and Maven (Debian: apt-get install openjdk-17-jdk-headless maven), then make connect", err, minJava)
	}
	plugins, err := ConnectPlugins()
	if err != nil {
		return "", "", err
	}
	jars = filepath.Join(filepath.Dir(plugins), "jars")
	for _, dir := range []string{jars, plugins} {
		if _, err := os.Stat(dir); err != nil {
			return "", "", fmt.Errorf("%w: run `make connect`, which needs Maven (Debian: apt-get install maven)", err)
		}
	}
	return java, jars, nil
}

func newConnect(tb testing.TB, java, jars string, f ConnectFiles) (*Connect, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	dir := tb.TempDir()
	own := map[string]string{
		"listeners":                    "http://" + address(port),
		"plugin.path":                  filepath.Join(filepath.Dir(jars), "plugins"),
		"offset.storage.file.filename": filepath.Join(dir, "offsets"),
	}
	worker, sink := filepath.Join(dir, "worker.properties"), filepath.Join(dir, "sink.properties")
	if err := errors.Join(extend(worker, f.Worker, own, f.SetWorker), extend(sink, f.Sink, f.SetSink)); err != nil {
		return nil, fmt.Errorf("preparing Kafka Connect: %w", err)
	}
	c := &Connect{port: port, sink: property(sink, "name")}
	c.Process = newProcess(tb, "connect", java, "-Xms64m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
		"-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dorg.slf4j.simpleLogger.showDateTime=true",
		"-cp", filepath.Join(jars, "*"), "org.apache.kafka.connect.cli.ConnectStandalone", worker, sink)
	c.up = c.runs
	c.with = func(cmd *exec.Cmd) { cmd.Env = append(os.Environ(), f.Env...) }
	return c, nil
}

// extend copies a file of properties and adds some: the last one of a name holds.
func extend(to, from string, more ...map[string]string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	for _, settings := range more {
		for key, value := range settings {
			b = fmt.Appendf(b, "\n%s=%s", key, value)
		}
	}
	return os.WriteFile(to, b, 0o644)
}

// property returns a property of a file, empty if the file has none.
func property(file, key string) (value string) {
	b, _ := os.ReadFile(file)
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, key+"="); ok {
			value = strings.TrimSpace(v)
		}
	}
	return value
}

func (c *Connect) runs(ctx context.Context) error {
	if err := owns(c.PID(), c.port); err != nil {
		return err
	}
	return c.Trouble(ctx)
}

// Trouble returns an error when the sink, or a task of it, does not run.
func (c *Connect) Trouble(ctx context.Context) error {
	response, err := c.ask(ctx, http.MethodGet, "/status")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	type state struct{ State, Trace string }
	var status struct {
		Connector state
		Tasks     []state
	}
	if err := json.NewDecoder(response.Body).Decode(&status); err != nil {
		return err
	}
	if len(status.Tasks) == 0 {
		return fmt.Errorf("the sink %s has no tasks yet", c.sink)
	}
	for _, s := range append(status.Tasks, status.Connector) {
		if s.State != "RUNNING" {
			return fmt.Errorf("the sink %s is %s: %s", c.sink, s.State, s.Trace)
		}
	}
	return nil
}

// Resume has a sink that has ended go on where it was.
func (c *Connect) Resume(ctx context.Context) error {
	response, err := c.ask(ctx, http.MethodPost, "/restart?includeTasks=true")
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// ask asks Kafka Connect about the sink. An answer other than a good one is an error.
func (c *Connect) ask(ctx context.Context, method, path string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://"+address(c.port)+"/connectors/"+c.sink+path, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		response.Body.Close()
		return nil, fmt.Errorf("asked about the sink %s, Kafka Connect says %s", c.sink, response.Status)
	}
	return response, nil
}
