package main

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
)

type result struct {
	code   int
	stdout string
	stderr string
}

func pqlstream(t *testing.T, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := execute(t.Context(), args, &stdout, &stderr)
	return result{code, stdout.String(), stderr.String()}
}

func TestWrongCommandLinesAreSaidOnce(t *testing.T) {
	for line, want := range map[string]string{
		"bogus":                            `unknown command "bogus" for "pqlstream"`,
		"config bogus":                     `unknown command "bogus" for "pqlstream config"`,
		"topics bogus":                     `unknown command "bogus" for "pqlstream topics"`,
		"version 1":                        `unknown command "1" for "pqlstream version"`,
		"config check --nope":              "unknown flag: --nope",
		"topics check --timeout soon":      `invalid argument "soon" for "--timeout" flag`,
		"config check --set kafka.brokers": "--set kafka.brokers: it is not setting=value",
	} {
		r := pqlstream(t, strings.Fields(line)...)
		assert.Equal(t, exitMisused, r.code, line)
		assert.Empty(t, r.stdout, line)
		assert.True(t, strings.HasPrefix(r.stderr, "pqlstream: "+want), "%s: %s", line, r.stderr)
		assert.Equal(t, 1, strings.Count(r.stderr, "\n"), "%s: %s", line, r.stderr)
	}
}

func TestHelp(t *testing.T) {
	for _, args := range [][]string{{}, {"--help"}, {"config"}, {"topics"}} {
		r := pqlstream(t, args...)
		assert.Equal(t, exitDone, r.code)
		assert.Contains(t, r.stdout, "Usage:")
		assert.Empty(t, r.stderr)
	}
}

const example = "../../config/pqlstream.yaml"

const validChecklist = `
name: simple
version: 4
steps:
  - {id: first_project, kind: event, event: project_created}
tiers:
  - {name: all, threshold: 1}
`

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestConfigCheck(t *testing.T) {
	r := pqlstream(t, "config", "check", "--config", example, "--set", "checklist="+write(t, validChecklist))
	assert.Equal(t, exitDone, r.code, r.stderr)
	assert.Contains(t, r.stdout, "the settings are valid\n")
	assert.Contains(t, r.stdout, "version 4, 1 steps, 1 tiers")

	r = pqlstream(t, "config", "check", "--config", example, "--set", "log.level=loud", "--set", "log.format=xml")
	assert.Equal(t, exitRefused, r.code)
	assert.Equal(t, "pqlstream: the settings in "+example+" are not valid:\n"+
		"log.level: \"loud\" is not one of debug, info, warn, error\n"+
		"log.format: \"xml\" is not one of text, json\n", r.stderr)

	r = pqlstream(t, "config", "check", "-c", example, "--set", "checklist="+write(t, "nonsense: 1\n"))
	assert.Equal(t, exitRefused, r.code)
	assert.Contains(t, r.stderr, "nonsense: line 1: unknown field")

	r = pqlstream(t, "config", "check", "-c", example, "--set", "checklist="+write(t, strings.ReplaceAll(validChecklist, "threshold: 1", "threshold: 7")))
	assert.Equal(t, exitRefused, r.code)
	assert.Contains(t, r.stderr, "threshold")

	r = pqlstream(t, "config", "check", "-c", example, "--set", "checklist=none.yaml")
	assert.Equal(t, exitRefused, r.code)
	assert.Contains(t, r.stderr, "none.yaml")

	r = pqlstream(t, "config", "check", "-c", example, "--set", "kafka.tls.enabled=true", "--set", "kafka.tls.ca_file=none.pem")
	assert.Equal(t, exitRefused, r.code)
	assert.Contains(t, r.stderr, "kafka.tls: reading the certificate authorities: open none.pem")

	text, err := os.ReadFile(example)
	require.NoError(t, err)
	metrics := write(t, string(text)+"metrics: {enabled: true, groupings: [[tier, moon]]}\n")
	r = pqlstream(t, "config", "check", "-c", metrics, "--set", "checklist="+write(t, validChecklist))
	assert.Equal(t, exitRefused, r.code)
	assert.Contains(t, r.stderr, `metrics.groupings[0][1]: "moon" is neither tier, segment nor checklist`)
}

func TestTopicsAreCreatedAndChecked(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, "usage"))
	require.NoError(t, err)
	defer cluster.Close()
	flags := []string{"--config", example, "--set", "kafka.brokers=" + strings.Join(cluster.ListenAddrs(), ",")}
	run := func(command ...string) result { return pqlstream(t, append(command, flags...)...) }

	r := run("topics", "check")
	assert.Equal(t, exitRefused, r.code)
	assert.Equal(t, 6, strings.Count(r.stderr, "does not exist; run `pqlstream topics create`"), r.stderr)

	r = run("topics", "create")
	assert.Equal(t, exitDone, r.code, r.stderr)
	assert.Equal(t, "created pql.activation.changelog\ncreated pql.events\ncreated pql.current\ncreated pql.lifecycle\ncreated pql.checklists\ncreated pql.dead-letters\n"+
		"all 6 topics are as they have to be\n", r.stdout)

	r = run("topics", "create")
	assert.Equal(t, "all 6 topics are as they have to be\n", r.stdout, r.stderr)
	r = run("topics", "check")
	assert.Equal(t, exitDone, r.code)
}

func TestAnUnreachableKafkaIsNamed(t *testing.T) {
	r := pqlstream(t, "topics", "check", "--config", example, "--set", "kafka.brokers=127.0.0.1:1", "--timeout", "20s")
	assert.Equal(t, exitUnreached, r.code)
	assert.Contains(t, r.stderr, "pqlstream: reaching Kafka at 127.0.0.1:1: ")
}

func TestVersion(t *testing.T) {
	r := pqlstream(t, "version")
	assert.Equal(t, exitDone, r.code)
	assert.True(t, strings.HasPrefix(r.stdout, "pqlstream "), r.stdout)

	built := &debug.BuildInfo{Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.modified", Value: "true"}}}
	assert.Equal(t, "v1.2.3", versionOf("v1.2.3", built))
	assert.Equal(t, "commit abc, changed", versionOf("", built))
	built.Main.Version = "v1.2.4"
	assert.Equal(t, "v1.2.4", versionOf("", built))
	assert.Equal(t, "unknown", versionOf("", &debug.BuildInfo{}))
	assert.Equal(t, "unknown", versionOf("", nil))
}
