// Package config holds the settings of a process: what they are, their defaults, where they come from and what is wrong
// with them. A setting is found in a YAML file, in the environment or among the flags, the latter before the former.
//
// docs/configuration.md lists all of them; it is made from this package's structs and their comments.
package config

import (
	"slices"
	"time"
)

//go:generate go test ./internal/reference -run TestPageIsCurrent -update

// Config is everything that a process can be told.
type Config struct {
	// Which stages this process runs, of ingest, resolve, activation, measure and rollup. Other processes of the deployment may run
	// others. resolve is for input.identity.users_without_account, measure and rollup are for metrics. [] runs none: the process serves
	// the API only.
	Stages []Stage `mapstructure:"stages"`
	// What the names of all topics, groups and keys of the deployment begin with. Two deployments on one cluster
	// need two prefixes.
	Prefix string `mapstructure:"prefix"`
	// The file with the checklist: what makes an account qualify. A relative path counts from the working directory.
	Checklist string `mapstructure:"checklist"`
	// The Kafka cluster.
	Kafka Kafka `mapstructure:"kafka"`
	// The Redis that states are read from.
	Redis Redis `mapstructure:"redis"`
	// Where Avro schemas are found. Needed when any input or output is Avro.
	Registry Registry `mapstructure:"registry"`
	// What is read.
	Input Input `mapstructure:"input"`
	// Names of topics that differ from the prefix's default.
	Topics Topics `mapstructure:"topics"`
	// Names of consumer groups that differ from the prefix's default.
	Groups Groups `mapstructure:"groups"`
	// What is written.
	Output Output `mapstructure:"output"`
	// Metrics about PQLs, in windows of time: the topic of metrics, with a row for each number.
	//
	// All but enabled, format, api_hours and north_star must stay as they are while the deployment lives: a process with others ends before it counts anything. To begin
	// anew under others, stop all processes, and give `topics.facts`, `topics.measure_changelog`, `topics.rollup`, `topics.rollup_changelog` and
	// `topics.metrics` names that are not in use yet.
	Metrics Metrics `mapstructure:"metrics"`
	// How the stages work. The defaults suit most deployments.
	Runtime Runtime `mapstructure:"runtime"`
	// The server for metrics and health checks.
	HTTP HTTP `mapstructure:"http"`
	// The HTTP API and the page. They show what the deployment knows, and change nothing.
	API API `mapstructure:"api"`
	// What the process says about itself.
	Log Log `mapstructure:"log"`
	// Traces of single records from the source to what comes of them, for OpenTelemetry: see [tracing](tracing.md).
	Tracing Tracing `mapstructure:"tracing"`
}

// Stage is a part of the pipeline that a process can run on its own.
type Stage string

// The stages.
const (
	Ingest     Stage = "ingest"     // source topics of any key to pql.usage, keyed by account
	Resolve    Stage = "resolve"    // events that name only a user to their accounts
	Activation Stage = "activation" // events keyed by account to PQL events
	Measure    Stage = "measure"    // facts of accounts to what they contribute to metrics
	Rollup     Stage = "rollup"     // contributions to rows of metrics
)

// Default returns the settings of a process that was told nothing. They don't validate: brokers, a source and a
// checklist have no defaults.
func Default() *Config {
	return &Config{
		Stages: []Stage{Activation},
		Prefix: "pql",
		Kafka: Kafka{
			ClientID:       "pqlstream",
			GroupProtocol:  ProtocolAuto,
			SessionTimeout: 45 * time.Second,
			FetchMaxWait:   250 * time.Millisecond,
		},
		Redis: Redis{Buckets: 64},
		Input: Input{
			Mode: ModeAuto, Start: Earliest, UsagePartitions: 8,
			Identity: Identity{UsersWithoutAccount: RejectUsers, Hold: 72 * time.Hour, HoldEvents: 100},
		},
		Output: Output{
			Format:      Avro,
			Escalations: true,
			Lifecycle:   true,
			Current:     true,
		},
		Metrics: defaultMetrics(),
		Runtime: Runtime{
			EmissionInterval:   5 * time.Millisecond,
			CheckpointInterval: time.Second,
			TransactionTimeout: 10 * time.Second,
			CacheAccounts:      1_000_000,
			CacheMemory:        512 << 20,
			AllowedDisorder:    5 * time.Minute,
			FutureTolerance:    10 * time.Minute,
			ShutdownTimeout:    10 * time.Second,
		},
		HTTP:    HTTP{Address: "127.0.0.1:9464"},
		API:     API{Address: "127.0.0.1:7480", RequestsPerSecond: 50},
		Log:     Log{Level: "info", Format: "text"},
		Tracing: Tracing{SampleRatio: "0.001"},
	}
}

// Runs says whether the process runs a stage.
func (c *Config) Runs(s Stage) bool { return slices.Contains(c.Stages, s) }

// KeepsStates says whether the process runs a stage that keeps states, and so needs Redis.
func (c *Config) KeepsStates() bool {
	return slices.ContainsFunc(c.Stages, func(s Stage) bool { return s != Ingest })
}

// Validate returns everything that is wrong with the settings as Problems, nil when nothing is. It changes nothing and
// looks at nothing but the settings.
func (c *Config) Validate() error {
	var p Problems
	c.validate(&p)
	return p.err()
}

func (c *Config) validate(p *Problems) {
	c.validateStages(p)
	if len(c.Prefix) > 100 {
		p.add("prefix", "%d bytes, at most 100 are possible", len(c.Prefix))
	} else {
		p.topicName("prefix", c.Prefix)
	}
	if c.Checklist == "" && c.Runs(Activation) {
		p.add("checklist", "the activation stage needs a checklist; name its file")
	}
	c.Kafka.validate(p, "kafka")
	c.Redis.validate(p, "redis", c.KeepsStates())
	c.validateRegistry(p)
	c.validateInput(p)
	c.validateTopicNames(p)
	c.validateGroups(p)
	c.Output.validate(p, "output")
	c.validateMetrics(p)
	c.Runtime.validate(p, "runtime")
	c.HTTP.validate(p, "http")
	c.API.validate(p, "api")
	c.Log.validate(p, "log")
	c.Tracing.validate(p, "tracing")
}

func (c *Config) validateStages(p *Problems) {
	if len(c.Stages) == 0 && c.API.Address == "" {
		p.add("stages", "none given, and no api.address: the process would do nothing; choose from ingest, resolve, activation, measure, rollup")
	}
	seen := map[Stage]bool{}
	for i, s := range c.Stages {
		at := index("stages", i)
		oneOf(p, at, s, Ingest, Resolve, Activation, Measure, Rollup)
		if seen[s] {
			p.add(at, "%s is listed twice", s)
		}
		seen[s] = true
	}
}
