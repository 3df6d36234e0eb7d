package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// valuesOf reads settings and returns them by path.
func valuesOf(t *testing.T, yaml string, overrides map[string]string) (string, map[string]Value) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "settings.yaml")
	require.NoError(t, os.WriteFile(path, []byte(yaml), 0o600))
	list, err := Values(path, overrides)
	require.NoError(t, err)
	all := map[string]Value{}
	for _, v := range list {
		require.NotContains(t, all, v.Path)
		all[v.Path] = v
	}
	return path, all
}

func TestOriginsAreTold(t *testing.T) {
	t.Setenv("PQLSTREAM_PREFIX", "from-env")
	t.Setenv("PQLSTREAM_KAFKA_CLIENT_ID", "from-env")
	t.Setenv("PQLSTREAM_LOG_FORMAT", "")
	path, is := valuesOf(t, strings.Replace(minimal, "redis: {", "redis: {password_file: testdata/password, ", 1)+"prefix: from-file\nlog: {level: warn, format: json}\nhttp:\n  profiling: null\n", map[string]string{"kafka.client_id": "from-flag"})
	line := func(key string) string {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		for i, l := range strings.Split(string(text), "\n") {
			if strings.Contains(l, key) {
				return fmt.Sprintf("%s:%d", path, i+1)
			}
		}
		t.Fatal(key)
		return ""
	}
	for _, want := range []Value{
		{"kafka.client_id", "from-flag", FromFlag, "--set"},
		{"prefix", "from-env", FromEnvironment, "PQLSTREAM_PREFIX"},
		{"log.level", "warn", FromFile, line("level: warn")},
		{"log.format", "json", FromFile, line("level: warn")}, // an empty variable is none
		{"http.profiling", false, FromDefault, ""},            // null is as if it were not there
		{"redis.buckets", 64, FromDefault, ""},
		{"redis.password", Secret("from-a-file"), FromSecretFile, "testdata/password"},
		{"input.sources[0].topic", "usage", FromFile, line("topic:")},
	} {
		assert.Equal(t, want, is[want.Path], want.Path)
	}
	assert.NotContains(t, is, "input.sources[0].changelog", "of items only what is set")
	assert.Equal(t, "***", fmt.Sprint(is["redis.password"].Value))
}

// Every setting outside of lists is listed, with the value that a process takes.
func TestValuesAreThoseOfLoad(t *testing.T) {
	_, is := valuesOf(t, minimal, nil)
	for _, s := range Settings() {
		if strings.Contains(s.Path, "[]") || s.Type == "a list" {
			continue
		}
		v, listed := is[s.Path]
		require.True(t, listed, s.Path)
		if v.Origin == FromDefault {
			assert.Equal(t, s.Default, v.Value, s.Path)
		}
	}
}

// What is told to be strongest is what counts: each setting given in all three ways, one after another taken away.
func TestOriginsAgreeWithWhatCounts(t *testing.T) {
	const variable = "PQLSTREAM_RUNTIME_EMISSION_INTERVAL"
	file := minimal + "runtime: {emission_interval: 2ms}\n"
	for _, test := range []struct {
		flag, env, file bool
		value           string
		origin          Origin
	}{
		{true, true, true, "4ms", FromFlag}, {false, true, true, "3ms", FromEnvironment}, {false, false, true, "2ms", FromFile},
		{false, false, false, "5ms", FromDefault}, {true, false, false, "4ms", FromFlag}, {false, true, false, "3ms", FromEnvironment},
	} {
		text, overrides := minimal, map[string]string{}
		t.Setenv(variable, "")
		if test.file {
			text = file
		}
		if test.env {
			t.Setenv(variable, "3ms")
		}
		if test.flag {
			overrides["runtime.emission_interval"] = "4ms"
		}
		_, is := valuesOf(t, text, overrides)
		v := is["runtime.emission_interval"]
		assert.Equal(t, test.value, fmt.Sprint(v.Value), test)
		assert.Equal(t, test.origin, v.Origin, test)
	}
}

func TestOriginsOfWhatIsMergedIn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "settings.yaml")
	require.NoError(t, os.WriteFile(path, []byte("kafka:\n  brokers: [a:1]\n  <<: {client_id: merged, brokers: [b:1]}\n"), 0o600))
	n, err := parseFile(path)
	require.NoError(t, err)
	assert.Equal(t, 2, child(child(n, "kafka"), "brokers").Line, "what is written counts more")
	assert.Equal(t, 3, child(child(n, "kafka"), "client_id").Line)
	assert.Nil(t, child(child(n, "kafka"), "tls"))
}

func TestNotBothAPasswordAndItsFile(t *testing.T) {
	for _, at := range []string{"kafka.sasl", "redis", "registry"} {
		_, err := load(t, minimal, map[string]string{at + ".password": "x", at + ".password_file": "testdata/password"})
		var problems Problems
		require.ErrorAs(t, err, &problems, at)
		assert.Contains(t, problems, Problem{at + ".password_file", "not together with password"})
		_, err = load(t, minimal, map[string]string{at + ".password_file": "testdata/none"})
		assert.ErrorContains(t, err, at+".password_file: open testdata/none", at)
	}
}

// What a variable was meant to set would stay as it is, and nobody would be told. A cluster's own variables are let pass.
func TestVariablesThatSetNothingAreRefused(t *testing.T) {
	var p Problems
	checkVariables([]string{
		"PQLSTREAM_NONSENSE=x", "PQLSTREAM_KAFKA_BROKER=a:1", "PQLSTREAM_KAFKA_BROKERS=a:1", "PQLSTREAM_REDIS_BUCKET=", "KAFKA_BROKER=x", "PQLSTREAMS=x",
		"PQLSTREAM_INPUT_SOURCES=usage", "PQLSTREAM_HTTP_PORT=9464",
		"PQLSTREAM_SERVICE_HOST=10.0.0.1", "PQLSTREAM_SERVICE_PORT=80", "PQLSTREAM_SERVICE_PORT_HTTP=80", "PQLSTREAM_PORT=tcp://10.0.0.1:80",
		"PQLSTREAM_PORT_7480_TCP=tcp://10.0.0.1:7480", "PQLSTREAM_PORT_7480_TCP_ADDR=10.0.0.1", "PQLSTREAM_PORT_7480_TCP_PORT=7480", "PQLSTREAM_PORT_53_UDP_PROTO=udp",
		"PQLSTREAM_HEADLESS_SERVICE_HOST=10.0.0.2", "PQLSTREAM_API_PORT=tcp://10.0.0.1:80", "PQLSTREAM_API_PORT_7480_TCP_ADDR=10.0.0.1",
	}, &p)
	assert.Equal(t, Problems{
		{"PQLSTREAM_HTTP_PORT", "the variable of the environment is no setting"},
		{"PQLSTREAM_INPUT_SOURCES", "the setting input.sources can be set in the file only"},
		{"PQLSTREAM_KAFKA_BROKER", "the variable of the environment is no setting; did you mean PQLSTREAM_KAFKA_BROKERS?"},
		{"PQLSTREAM_NONSENSE", "the variable of the environment is no setting"},
	}, p)

	t.Setenv("PQLSTREAM_KAFKA_BROKER", "a:1")
	t.Setenv("PQLSTREAM_REDIS_PASSWORT", "s3cret")
	_, err := load(t, minimal+"prefixx: leads\n", nil)
	require.ErrorAs(t, err, &p)
	assert.Len(t, p, 3, "all at once: %v", err)
	assert.NotContains(t, err.Error(), "s3cret")
}

// A secret comes from its file also where somebody has emptied the setting that would hold it.
func TestSecretsOfFilesAreToldToBe(t *testing.T) {
	want := Value{"redis.password", Secret("from-a-file"), FromSecretFile, "testdata/password"}
	_, is := valuesOf(t, strings.Replace(minimal, "redis: {", "redis: {password: '', password_file: testdata/password, ", 1), nil)
	assert.Equal(t, want, is["redis.password"])
	_, is = valuesOf(t, minimal, map[string]string{"redis.password": "", "redis.password_file": "testdata/password"})
	assert.Equal(t, want, is["redis.password"])
	_, is = valuesOf(t, minimal, map[string]string{"redis.password": ""})
	assert.Equal(t, Value{"redis.password", Secret(""), FromFlag, "--set"}, is["redis.password"])
}

// Commands end in one way because of files that are not as they have to be, whichever it is.
func TestFilesThatCanNotBeRead(t *testing.T) {
	for _, try := range []func() error{
		func() error { _, err := Load("none.yaml", nil); return err },
		func() error { _, err := Load("testdata/syntax.bad.yml", nil); return err },
		func() error { _, err := (&TLS{Enabled: true, CAFile: "none.pem"}).Load(); return err },
		func() error { _, err := (&TLS{Enabled: true, CAFile: "testdata/password"}).Load(); return err },
		func() error {
			_, err := (&TLS{Enabled: true, CertFile: "none.pem", KeyFile: "none.pem"}).Load()
			return err
		},
	} {
		var u *Unreadable
		assert.ErrorAs(t, try(), &u)
	}
}
