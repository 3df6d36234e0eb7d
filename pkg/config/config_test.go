package config

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/viper"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/checklist"
	"github.com/pqlstream/pqlstream/pkg/rollup"
)

// minimal is the least that a process must be told.
const minimal = `
checklist: checklist.yaml
kafka: {brokers: [localhost:9092]}
redis: {addresses: [localhost:6379]}
registry: {url: http://localhost:8081}
input: {sources: [{topic: usage}]}
`

func load(t *testing.T, yaml string, overrides map[string]string) (*Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "settings.yaml")
	require.NoError(t, os.WriteFile(path, []byte(yaml), 0o600))
	return Load(path, overrides)
}

func TestDefaultsFillWhatIsNotGiven(t *testing.T) {
	c, err := load(t, minimal, nil)
	require.NoError(t, err)
	want := Default()
	want.Checklist = "checklist.yaml"
	want.Kafka.Brokers = []string{"localhost:9092"}
	want.Redis.Addresses = []string{"localhost:6379"}
	want.Registry.URL = "http://localhost:8081"
	want.Input.Sources = []Source{{Topic: "usage"}}
	assert.Equal(t, want, c)
	assert.True(t, c.Direct())
	assert.Equal(t, "usage", c.ActivationInput())
	assert.Equal(t, "pql.activation", c.Group(Activation))
}

func TestEverySettingOfTheFileIsRead(t *testing.T) {
	c, err := load(t, `
stages: [ingest, activation]
prefix: leads
checklist: checklist.yaml
kafka:
  brokers: [a:1, b:2]
  group_protocol: classic
  sasl: {mechanism: scram-sha-512, username: me, password: "123456"}
  fetch_max_wait: 100ms
redis: {addresses: [a:1, b:2], cluster: true, buckets: 16}
registry: {directory: schemas}
input:
  start: latest
  sources:
    - topic: usage
      format: json
      fields:
        account_id: context.groupId
        extra_properties: [{name: plan, path: context.traits.plan}]
    - {topic: clicks, changelog: leads.clicks}
topics: {events: leads.out}
groups: {activation: leads}
metrics: {enabled: true, format: connect, zones: [Europe/Berlin, UTC], groupings: [[tier, plan], []], paid_days: [5], restatement: 800h}
runtime: {cache_memory: 1GiB, replay: true, allowed_disorder: 0s}
http: {address: ""}
log: {level: debug, format: json}
`, nil)
	require.NoError(t, err)
	assert.Equal(t, []Stage{Ingest, Activation}, c.Stages)
	assert.Equal(t, ProtocolClassic, c.Kafka.GroupProtocol)
	assert.Equal(t, "123456", c.Kafka.SASL.Password.Reveal())
	assert.Equal(t, 100*time.Millisecond, c.Kafka.FetchMaxWait)
	assert.Equal(t, 16, c.Redis.Buckets)
	assert.Equal(t, Bytes(1<<30), c.Runtime.CacheMemory)
	assert.True(t, c.Runtime.Replay)
	assert.Zero(t, c.Runtime.AllowedDisorder)
	assert.Empty(t, c.HTTP.Address)
	assert.Equal(t, Log{Level: "debug", Format: "json"}, c.Log)

	metrics := defaultMetrics()
	metrics.Enabled, metrics.Zones, metrics.Groupings = true, []string{"Europe/Berlin", "UTC"}, [][]string{{"tier", "plan"}, {}}
	metrics.PaidDays, metrics.Restatement, metrics.Format = []int{5}, 800*time.Hour, Connect
	assert.Equal(t, metrics, c.Metrics)

	source := c.Input.Sources[0]
	assert.Equal(t, JSON, source.Encoding())
	assert.Equal(t, Avro, c.Input.Sources[1].Encoding())
	fields := source.Fields.WithDefaults()
	assert.Equal(t, "context.groupId", fields.AccountID)
	assert.Equal(t, "event_id", fields.EventID)
	assert.Equal(t, []ExtraProperty{{Name: "plan", Path: "context.traits.plan"}}, fields.ExtraProperties)

	assert.False(t, c.Direct())
	assert.Equal(t, "leads.usage", c.ActivationInput())
	assert.Equal(t, Topics{
		Usage: "leads.usage", Events: "leads.out", Current: "leads.current", Lifecycle: "leads.lifecycle",
		DeadLetters: "leads.dead-letters", ActivationChangelog: "leads.activation.changelog",
		Unresolved: "leads.unresolved", ResolveChangelog: "leads.resolve.changelog",
		Facts: "leads.facts", Rollup: "leads.rollup", Metrics: "leads.metrics",
		MeasureChangelog: "leads.measure.changelog", RollupChangelog: "leads.rollup.changelog", Checklists: "leads.checklists",
	}, c.TopicNames())
	assert.Equal(t, "leads.ingest.usage.changelog", c.IngestChangelog(&c.Input.Sources[0]))
	assert.Equal(t, "leads.clicks", c.IngestChangelog(&c.Input.Sources[1]))
	assert.Equal(t, "leads", c.Group(Activation))
	assert.Equal(t, "leads.ingest", c.Group(Ingest))
}

func TestOverridesComeBeforeTheEnvironmentBeforeTheFile(t *testing.T) {
	t.Setenv("PQLSTREAM_PREFIX", "from-env")
	t.Setenv("PQLSTREAM_KAFKA_CLIENT_ID", "from-env")
	c, err := load(t, minimal+"prefix: from-file\nlog: {level: warn}\n", map[string]string{"kafka.client_id": "from-flag"})
	require.NoError(t, err)
	assert.Equal(t, "warn", c.Log.Level)
	assert.Equal(t, "from-env", c.Prefix)
	assert.Equal(t, "from-flag", c.Kafka.ClientID)
}

// Every setting outside lists, but for lists of lists, can be given by its environment variable alone.
func TestEverySettingIsReadFromTheEnvironment(t *testing.T) {
	values := map[string]string{
		"a string": "x", "a duration": "1234ms", "an amount of memory": "7MiB", "true or false": "true",
		"a whole number": "77", "a list of strings": "x:1, y:2", "a list of whole numbers": "3, 5", "a number": "0.25",
	}
	names := map[string]string{}
	for _, s := range Settings() {
		if s.Env == "" {
			continue
		}
		require.Emptyf(t, names[s.Env], "two settings are named %s", s.Env)
		names[s.Env] = s.Path
		t.Run(s.Env, func(t *testing.T) {
			value := values[s.Type]
			require.NotEmpty(t, value, s.Type)
			if fmt.Sprint(s.Default) == value {
				value = "false"
			}
			t.Setenv(s.Env, value)
			changed := *Default()
			c, problems := loadUnchecked(t)
			assert.Empty(t, problems)
			assert.NotEqual(t, changed, *c, "the variable changed nothing")
		})
	}
}

func loadUnchecked(t *testing.T) (*Config, Problems) {
	t.Helper()
	var p Problems
	v := viper.New()
	bind(v, nil, &p)
	return decode(v, &p), p
}

func TestOverridesAreChecked(t *testing.T) {
	_, err := load(t, minimal, map[string]string{"kafka.brokerz": "a:1", "redis.buckets": "many", "input.sources": "x"})
	var problems Problems
	require.ErrorAs(t, err, &problems)
	assert.Equal(t, Problems{
		{"input.sources", "there is no such setting, or it can be set in the file only"},
		{"kafka.brokerz", "there is no such setting, or it can be set in the file only; did you mean kafka.brokers?"},
		{"redis.buckets", `"many" is not a whole number`},
	}, problems)
}

func TestPasswordsAreReadFromFiles(t *testing.T) {
	c, err := load(t, minimal, map[string]string{"redis.password_file": "testdata/password"})
	require.NoError(t, err)
	assert.Equal(t, "from-a-file", c.Redis.Password.Reveal())
}

func TestPasswordsAreNotPrinted(t *testing.T) {
	c := Default()
	c.Redis.Password = "hunter2"
	encoded, err := json.Marshal(c)
	require.NoError(t, err)
	var logged strings.Builder
	slog.New(slog.NewTextHandler(&logged, nil)).Info("settings", "redis", c.Redis, "password", c.Redis.Password)
	for _, printed := range []string{
		fmt.Sprintf("%v", c.Redis), fmt.Sprintf("%+v", c.Redis), fmt.Sprintf("%#v", c.Redis), fmt.Sprintf("%s %q", c.Redis.Password, c.Redis.Password),
		string(encoded), logged.String(),
	} {
		assert.NotContains(t, printed, "hunter2")
		assert.Contains(t, printed, "***")
	}
}

func TestValidateChangesNothing(t *testing.T) {
	for _, yaml := range []string{minimal, "stages: []\n"} {
		v := viper.New()
		v.SetConfigType("yaml")
		require.NoError(t, v.ReadConfig(strings.NewReader(yaml)))
		var p Problems
		a, b := decode(v, &p), decode(v, &p)
		require.Empty(t, p)
		_ = a.Validate()
		assert.Equal(t, b, a)
	}
}

func TestAnEmptyOrMissingFile(t *testing.T) {
	_, err := Load(filepath.Join(t.TempDir(), "none.yaml"), nil)
	require.ErrorIs(t, err, os.ErrNotExist)
	for _, yaml := range []string{"", "# nothing yet\n"} {
		_, err := load(t, yaml, nil)
		var problems Problems
		require.ErrorAs(t, err, &problems)
	}
}

func TestBytes(t *testing.T) {
	for text, want := range map[string]Bytes{"0B": 0, "3B": 3, "2kB": 2000, "2KiB": 2048, "512 MiB": 512 << 20, "1GB": 1e9} {
		got, err := parseBytes(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
		again, err := parseBytes(got.String())
		require.NoError(t, err, got.String())
		assert.Equal(t, want, again, "%s is written as %s", text, got)
	}
	for _, text := range []string{"", "MB", "-1MB", "1.5GB", "99999999999999GiB", "1TB", "12"} {
		_, err := parseBytes(text)
		assert.Error(t, err, text)
	}
}

func TestModes(t *testing.T) {
	for _, test := range []struct {
		stages  []Stage
		mode    Mode
		sources int
		direct  bool
	}{
		{[]Stage{Activation}, ModeAuto, 1, true},
		{[]Stage{Activation}, ModeAuto, 2, false},
		{[]Stage{Ingest, Activation}, ModeAuto, 1, false},
		{[]Stage{Activation}, ModeIngest, 1, false},
		{[]Stage{Activation}, ModeDirect, 1, true},
	} {
		c := Default()
		c.Stages, c.Input.Mode, c.Input.Sources = test.stages, test.mode, make([]Source, test.sources)
		assert.Equal(t, test.direct, c.Direct(), "%+v", test)
	}
}

func TestTLSFiles(t *testing.T) {
	none, err := (&TLS{}).Load()
	require.NoError(t, err)
	assert.Nil(t, none)
	system, err := (&TLS{Enabled: true}).Load()
	require.NoError(t, err)
	assert.Nil(t, system.RootCAs)
	_, err = (&TLS{Enabled: true, CAFile: "testdata/password"}).Load()
	require.ErrorContains(t, err, "holds no certificate")
	_, err = (&TLS{Enabled: true, CAFile: "testdata/none"}).Load()
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = (&TLS{Enabled: true, CertFile: "testdata/none", KeyFile: "testdata/none"}).Load()
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestTheExampleIsValid(t *testing.T) {
	c, err := Load("../../config/pqlstream.yaml", nil)
	require.NoError(t, err)
	want := Default()
	want.Checklist = "config/checklists/demo.yaml"
	want.Kafka.Brokers = []string{"localhost:9092"}
	want.Redis.Addresses = []string{"localhost:6379"}
	want.Registry.URL = "http://localhost:8081"
	want.Input.Sources = []Source{{Topic: "usage", Format: Avro}}
	assert.Equal(t, want, c, "what the example sets apart from addresses is meant to be the default")
}

func TestMetricsSettings(t *testing.T) {
	c, err := load(t, minimal+"metrics: {enabled: true, zones: [UTC, Asia/Kathmandu], units: [day, week], week_start: sunday}\n", nil)
	require.NoError(t, err)
	s, limits, err := c.Metrics.Settings()
	require.NoError(t, err)
	require.Len(t, s.Windows, 4)
	saturday := time.Date(2025, 3, 1, 12, 0, 0, 0, time.UTC).UnixMilli()
	_, end := s.Windows[1].At(saturday)
	assert.Equal(t, time.Date(2025, 3, 2, 0, 0, 0, 0, time.UTC).UnixMilli(), end, "weeks begin on Sunday")
	assert.Equal(t, "Asia/Kathmandu", s.Windows[2].Zone())
	assert.Equal(t, [][]string{{}, {"tier"}}, s.Groupings)
	assert.Equal(t, rollup.DefaultLimits(), limits)
}

func TestMetricsFormat(t *testing.T) {
	const allJSON = "checklist: checklist.yaml\nkafka: {brokers: [localhost:9092]}\nredis: {addresses: [localhost:6379]}\n" +
		"input: {sources: [{topic: usage, format: json}]}\noutput: {format: json}\n"
	for settings, want := range map[string]Format{
		"": JSON, "metrics: {enabled: true}": JSON, "metrics: {enabled: true, format: connect}": Connect, "metrics: {format: avro}": Avro,
	} {
		c, err := load(t, allJSON+settings, nil)
		require.NoError(t, err, settings)
		assert.Equal(t, want, c.MetricsFormat(), settings)
	}
	_, err := load(t, allJSON+"metrics: {enabled: true, format: avro}", nil)
	require.ErrorContains(t, err, "registry.url: Avro needs a registry's url")
}

// The defaults are valid together: validation looks at them also where metrics are not enabled.
func TestDefaultMetricsAreThoseOfTheRollup(t *testing.T) {
	_, err := load(t, minimal+"metrics: {enabled: true}\n", map[string]string{"stages": "activation, measure, rollup"})
	require.NoError(t, err)
}

func TestSettingsAreHeldAgainstTheChecklist(t *testing.T) {
	definition, err := checklist.Parse([]byte(`
version: 1
name: test
tiers: [{name: all, threshold: 1.0}]
properties:
  - {name: plan, type: string, dimension: true, from: [{event: one}]}
  - {name: source, type: string, from: [{event: one}]}
steps: [{id: one, kind: event, event: one}]
`))
	require.NoError(t, err)
	list, err := checklist.Compile(definition)
	require.NoError(t, err)
	c := Default()
	c.Checklist, c.Metrics.Enabled = "rules.yaml", true
	c.Metrics.Groupings = [][]string{{}, {"tier", "segment"}, {"checklist", "plan"}}
	require.NoError(t, c.CheckWith(list))
	c.Metrics.Groupings = [][]string{{"tier"}, {"plan", "source", "moon"}}
	require.Equal(t, Problems{
		{"metrics.groupings[1][1]", `"source" is neither tier, segment nor checklist, nor a property that rules.yaml marks with dimension: true`},
		{"metrics.groupings[1][2]", `"moon" is neither tier, segment nor checklist, nor a property that rules.yaml marks with dimension: true`},
	}, c.CheckWith(list))
	c.Metrics.Enabled = false
	require.NoError(t, c.CheckWith(list))

	c.Input.Identity.EraseUser.Event, c.Input.Identity.EraseAccount.Event = "one", "two"
	require.Equal(t, Problems{
		{"input.identity.erase_user.event", `"one" is an event that rules.yaml listens to: events that ask for something are no usage, and count for no step`},
	}, c.CheckWith(list))
}

func TestMalformedFilesAreToldWithTheirLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "settings.yaml")
	require.NoError(t, os.WriteFile(path, []byte("kafka:\n\tbrokers: [a:1]\n"), 0o600))
	want := "reading the settings in " + path + ": line 2: found character that cannot start any token"
	_, err := Load(path, nil)
	require.EqualError(t, err, want)
	_, err = parseFile(path)
	require.EqualError(t, err, want, "by whomever it is read")
}

// What is wrong is logged, and read by many. A password that has come to be in an address is not.
func TestMessagesHoldNoPasswords(t *testing.T) {
	for text, says := range map[string]string{
		"redis: {addresses: ['redis://:s3cret@redis:6379']}":          "redis.addresses[0]: it is not host:port alone; for a password use redis.password",
		"redis: {addresses: ['s3cret@redis:6379']}":                   "for a password use redis.password",
		"kafka: {brokers: ['me:s3cret@kafka:9092']}":                  "kafka.brokers[0]: it is not host:port alone; for a password use kafka.sasl.password",
		"http: {address: 's3cret@:80'}":                               "http.address: it is not host:port",
		"api: {address: 's3cret@localhost:80'}":                       "api.address: it is not host:port",
		"api: {address: 'me?s3cret:80'}":                              "api.address: it can be reached from other machines",
		"registry: {url: 'user:s3cret@registry:8081'}":                "registry.url: it is not an http or https address",
		"registry: {url: 'https://user:s3cret@registry:8081'}":        "registry.url: it holds a user name; use username and password",
		"registry: {url: 'htp://registry?key=s3cret'}":                "registry.url: it is not an http or https address",
		"tracing: {endpoint: 'http://collector:4318?key=s3cret'}":     "tracing.endpoint: traces and headers would be sent to it without encryption",
		"tracing: {endpoint: 'user:s3cret@collector:4318'}":           "tracing.endpoint: it is not",
		"tracing: {endpoint: 'https://c:4318', headers: 'x: s3cret'}": "tracing.headers: the header number 1",
		"api: {token: [s3cret]}":                                      "api.token: it is a list, not a string",
		"api: {token: {s3cret: 1}}":                                   "api.token: it is a mapping, not a string",
		"kafka: {sasl: {password: {s3cret: 1}}}":                      "kafka.sasl.password: it is a mapping",
		"api: {token: s3cret}":                                        "api.token: the token has 6 bytes",
		"api: {token: *s3cret}":                                       "unknown anchor (a value) referenced",
		"redis: {password: !!float \"a`s3cret\"}":                     "cannot decode",
	} {
		_, err := load(t, text+"\n", nil)
		require.ErrorContains(t, err, says)
		assert.NotContains(t, err.Error(), "s3cret", text)
	}
}
