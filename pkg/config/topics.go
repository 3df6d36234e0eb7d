package config

import "fmt"

// Topics names the topics of the deployment. What is empty gets its default from the prefix.
type Topics struct {
	// Usage events keyed by account, what ingest writes and activation reads; empty: `<prefix>.usage`.
	Usage string `mapstructure:"usage"`
	// Events that name only a user, and what is told of users' accounts, which resolve reads; empty: `<prefix>.unresolved`.
	Unresolved string `mapstructure:"unresolved"`
	// PQL events: qualified, requalified, escalated, disqualified, converted; empty: `<prefix>.events`.
	Events string `mapstructure:"events"`
	// One row for each account that is a PQL now; empty: `<prefix>.current`.
	Current string `mapstructure:"current"`
	// Every transition of an account, steps included; empty: `<prefix>.lifecycle`.
	Lifecycle string `mapstructure:"lifecycle"`
	// Records that can't be used, and why; empty: `<prefix>.dead-letters`.
	DeadLetters string `mapstructure:"dead_letters"`
	// The states of accounts; empty: `<prefix>.activation.changelog`. The changelogs of ingest are set with their
	// sources.
	ActivationChangelog string `mapstructure:"activation_changelog"`
	// What is known of users; empty: `<prefix>.resolve.changelog`.
	ResolveChangelog string `mapstructure:"resolve_changelog"`
	// What metrics read of each transition, which activation writes and measure reads; empty: `<prefix>.facts`.
	Facts string `mapstructure:"facts"`
	// What accounts contribute to metrics, which measure writes and rollup reads; empty: `<prefix>.rollup`.
	Rollup string `mapstructure:"rollup"`
	// The rows of metrics; empty: `<prefix>.metrics`.
	Metrics string `mapstructure:"metrics"`
	// What each account has contributed; empty: `<prefix>.measure.changelog`.
	MeasureChangelog string `mapstructure:"measure_changelog"`
	// What the windows of metrics hold; empty: `<prefix>.rollup.changelog`.
	RollupChangelog string `mapstructure:"rollup_changelog"`
	// The checklists that have decided, as they were written; empty: `<prefix>.checklists`.
	Checklists string `mapstructure:"checklists"`
}

// Groups names the consumer groups of the deployment. What is empty gets its default from the prefix.
type Groups struct {
	// The group of the ingest stage; empty: `<prefix>.ingest`.
	Ingest string `mapstructure:"ingest"`
	// The group of the resolve stage; empty: `<prefix>.resolve`.
	Resolve string `mapstructure:"resolve"`
	// The group of the activation stage; empty: `<prefix>.activation`.
	Activation string `mapstructure:"activation"`
	// The group of the measure stage; empty: `<prefix>.measure`.
	Measure string `mapstructure:"measure"`
	// The group of the rollup stage; empty: `<prefix>.rollup`.
	Rollup string `mapstructure:"rollup"`
}

// TopicNames returns the names of all topics, defaults filled in.
func (c *Config) TopicNames() Topics {
	t := c.Topics
	orDefault(&t.Usage, c.Prefix+".usage")
	orDefault(&t.Unresolved, c.Prefix+".unresolved")
	orDefault(&t.Events, c.Prefix+".events")
	orDefault(&t.Current, c.Prefix+".current")
	orDefault(&t.Lifecycle, c.Prefix+".lifecycle")
	orDefault(&t.DeadLetters, c.Prefix+".dead-letters")
	orDefault(&t.ActivationChangelog, c.Prefix+".activation.changelog")
	orDefault(&t.ResolveChangelog, c.Prefix+".resolve.changelog")
	orDefault(&t.Facts, c.Prefix+".facts")
	orDefault(&t.Rollup, c.Prefix+".rollup")
	orDefault(&t.Metrics, c.Prefix+".metrics")
	orDefault(&t.MeasureChangelog, c.Prefix+".measure.changelog")
	orDefault(&t.RollupChangelog, c.Prefix+".rollup.changelog")
	orDefault(&t.Checklists, c.Prefix+".checklists")
	return t
}

// IngestChangelog returns the name of the changelog that ingest keeps for a source.
func (c *Config) IngestChangelog(s *Source) string {
	if s.Changelog != "" {
		return s.Changelog
	}
	return c.Prefix + ".ingest." + s.Topic + ".changelog"
}

// ActivationInput returns the name of the topic that the activation stage reads.
func (c *Config) ActivationInput() string {
	if c.Direct() {
		return c.Input.Sources[0].Topic
	}
	return c.TopicNames().Usage
}

// Group returns the name of a stage's consumer group.
func (c *Config) Group(s Stage) string {
	name := map[Stage]string{
		Ingest: c.Groups.Ingest, Resolve: c.Groups.Resolve, Activation: c.Groups.Activation, Measure: c.Groups.Measure, Rollup: c.Groups.Rollup,
	}[s]
	orDefault(&name, c.Prefix+"."+string(s))
	return name
}

// validateTopicNames refuses names that Kafka refuses, and a name used twice.
func (c *Config) validateTopicNames(p *Problems) {
	usedBy := map[string]string{}
	claim := func(path, name string) {
		if first, used := usedBy[name]; used {
			p.add(path, "%q is the name of %s already", name, first)
			return
		}
		usedBy[name] = path
	}
	for i := range c.Input.Sources {
		if s := &c.Input.Sources[i]; s.Topic != "" { // an empty one is reported with the source
			claim(index("input.sources", i)+".topic", s.Topic)
		}
	}
	set, names := c.Topics, c.TopicNames()
	for _, own := range []struct{ path, set, name string }{
		{"topics.usage", set.Usage, names.Usage},
		{"topics.events", set.Events, names.Events},
		{"topics.current", set.Current, names.Current},
		{"topics.lifecycle", set.Lifecycle, names.Lifecycle},
		{"topics.dead_letters", set.DeadLetters, names.DeadLetters},
		{"topics.activation_changelog", set.ActivationChangelog, names.ActivationChangelog},
		{"topics.unresolved", set.Unresolved, names.Unresolved},
		{"topics.resolve_changelog", set.ResolveChangelog, names.ResolveChangelog},
		{"topics.facts", set.Facts, names.Facts},
		{"topics.rollup", set.Rollup, names.Rollup},
		{"topics.metrics", set.Metrics, names.Metrics},
		{"topics.measure_changelog", set.MeasureChangelog, names.MeasureChangelog},
		{"topics.rollup_changelog", set.RollupChangelog, names.RollupChangelog},
		{"topics.checklists", set.Checklists, names.Checklists},
	} {
		if own.set != "" { // a default is as good as the prefix, which is checked by itself
			p.topicName(own.path, own.set)
		}
		if own.path != "topics.usage" || !c.Direct() { // reading directly, the source may well be another deployment's usage topic
			claim(own.path, own.name)
		}
	}
	if !c.Direct() {
		c.validateIngestChangelogs(p, claim)
	}
}

func (c *Config) validateIngestChangelogs(p *Problems, claim func(path, name string)) {
	seen := map[string]bool{}
	for i := range c.Input.Sources {
		s := &c.Input.Sources[i]
		if s.Topic == "" || seen[s.Topic] { // reported with the source
			continue
		}
		seen[s.Topic] = true
		path, name := index("input.sources", i)+".changelog", c.IngestChangelog(s)
		if s.Changelog != "" || len(name) > maxTopicName {
			p.topicName(path, name)
		}
		claim(path, name)
	}
}

func (c *Config) validateGroups(p *Problems) {
	usedBy := map[string]Stage{}
	for _, s := range []Stage{Activation, Ingest, Resolve, Measure, Rollup} {
		if first, used := usedBy[c.Group(s)]; used {
			p.add(fmt.Sprintf("groups.%s", s), "%q is the name of groups.%s already", c.Group(s), first)
		}
		usedBy[c.Group(s)] = s
		if n := len(c.Group(s)); n > maxTopicName {
			p.add(fmt.Sprintf("groups.%s", s), "%d bytes, at most %d are possible", n, maxTopicName)
		}
	}
}
