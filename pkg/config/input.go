package config

import (
	"strings"
	"unicode/utf8"
)

// Input says what is read.
type Input struct {
	// direct: the activation stage reads the one source, whose records are already keyed by account. ingest: the
	// ingest stage reads the sources, of any key, and writes them keyed by account for the activation stage. auto:
	// ingest when this process runs that stage, when there are several sources, or when a setting needs it; otherwise
	// direct. All processes of a deployment need the same.
	Mode Mode `mapstructure:"mode"`
	// The topics that usage events are read from, and what else is known of accounts.
	Sources []Source `mapstructure:"sources"`
	// Where reading begins the very first time: earliest or latest. Later, work goes on where it was left.
	Start Start `mapstructure:"start"`
	// Partitions of the usage topic, and of that of unresolved events, when they are created. All topics keyed by account have the same number, and it stays: growing
	// it is a migration.
	UsagePartitions int `mapstructure:"usage_partitions"`
	// Events that name only a user, accounts that become one, erasures.
	Identity Identity `mapstructure:"identity"`
}

// Mode is who reads the sources.
type Mode string

// The modes.
const (
	ModeAuto   Mode = "auto"
	ModeDirect Mode = "direct"
	ModeIngest Mode = "ingest"
)

// Start is where reading begins.
type Start string

// The starts.
const (
	Earliest Start = "earliest"
	Latest   Start = "latest"
)

// Format is how records are encoded.
type Format string

// The formats.
const (
	Avro Format = "avro" // in the registry's wire format
	JSON Format = "json"

	Connect Format = "connect" // JSON with a schema of Kafka Connect's: rows of metrics only
)

// Source is a topic that usage events are read from.
type Source struct {
	// The topic's name.
	Topic string `mapstructure:"topic"`
	// avro (in the registry's wire format) or json; empty: avro.
	Format Format `mapstructure:"format"`
	// What each record of the topic is; empty: the records name their events. It is for a compacted topic with a row for each account,
	// its newest traits: where a row gives no time, the record's timestamp is when it happened; deleted rows are passed over. It
	// needs the ingest stage.
	Event string `mapstructure:"event"`
	// Where in a record the parts of a usage event are.
	Fields Fields `mapstructure:"fields"`
	// The name of the changelog that ingest keeps for this source; empty: `<prefix>.ingest.<topic>.changelog`.
	Changelog string `mapstructure:"changelog"`
}

// Fields are paths into a record: names of fields joined with dots, such as context.groupId.
type Fields struct {
	// What is unique to the event, for dropping duplicates; empty: event_id.
	EventID string `mapstructure:"event_id"`
	// The account's id; empty: account_id. "@key": the record's key, which is text; this needs the ingest stage.
	AccountID string `mapstructure:"account_id"`
	// The id of the user who did it; empty: user_id.
	UserID string `mapstructure:"user_id"`
	// What happened; empty: event.
	Event string `mapstructure:"event"`
	// When it happened; empty: occurred_at.
	OccurredAt string `mapstructure:"occurred_at"`
	// How much it was; empty: quantity.
	Quantity string `mapstructure:"quantity"`
	// Who says so; empty: source.
	Source string `mapstructure:"source"`
	// A map of further properties; empty: properties.
	Properties string `mapstructure:"properties"`
	// Properties that are found elsewhere in the record.
	ExtraProperties []ExtraProperty `mapstructure:"extra_properties"`
}

// ExtraProperty is a property of an event that is not among the others.
type ExtraProperty struct {
	// The property's name.
	Name string `mapstructure:"name"`
	// Where in the record its value is.
	Path string `mapstructure:"path"`
}

// recordKey is the path of an account's id that is the record's key.
const recordKey = "@key"

// Keyed says whether the account's id is the record's key.
func (f *Fields) Keyed() bool { return f.AccountID == recordKey }

// Encoding is the format of the source's records.
func (s *Source) Encoding() Format {
	if s.Format == "" {
		return Avro
	}
	return s.Format
}

// WithDefaults returns the paths with the names of the canonical event where none is given.
func (f Fields) WithDefaults() Fields {
	orDefault(&f.EventID, "event_id")
	orDefault(&f.AccountID, "account_id")
	orDefault(&f.UserID, "user_id")
	orDefault(&f.Event, "event")
	orDefault(&f.OccurredAt, "occurred_at")
	orDefault(&f.Quantity, "quantity")
	orDefault(&f.Source, "source")
	orDefault(&f.Properties, "properties")
	return f
}

func orDefault(s *string, d string) {
	if *s == "" {
		*s = d
	}
}

// Direct says whether the activation stage reads the source itself, without the ingest stage.
func (c *Config) Direct() bool {
	if c.Input.Mode == ModeAuto {
		return !c.Runs(Ingest) && len(c.Input.Sources) == 1 && len(c.ingestOnly()) == 0
	}
	return c.Input.Mode == ModeDirect
}

// ingestOnly lists the settings that only the ingest stage can do something with.
func (c *Config) ingestOnly() (paths []string) {
	for i := range c.Input.Sources {
		at := index("input.sources", i)
		if c.Input.Sources[i].Event != "" {
			paths = append(paths, at+".event")
		}
		if c.Input.Sources[i].Fields.Keyed() {
			paths = append(paths, at+".fields.account_id")
		}
	}
	return append(paths, c.needIdentity()...)
}

func (c *Config) validateInput(p *Problems) {
	in := &c.Input
	oneOf(p, "input.mode", in.Mode, ModeAuto, ModeDirect, ModeIngest)
	oneOf(p, "input.start", in.Start, Earliest, Latest)
	between(p, "input.usage_partitions", in.UsagePartitions, 1, 100_000)
	if len(in.Sources) == 0 {
		p.add("input.sources", "none given")
	}
	if in.Mode == ModeDirect && len(in.Sources) > 1 {
		p.add("input.mode", "direct reads one source, %d are given; several need ingest", len(in.Sources))
	}
	if in.Mode == ModeDirect && c.Runs(Ingest) {
		p.add("input.mode", "direct leaves nothing to do for the ingest stage, which stages names")
	}
	if in.Mode == ModeDirect {
		for _, path := range c.ingestOnly() {
			p.add(path, "it needs the ingest stage: set input.mode to ingest, and have a process run that stage")
		}
	}
	for i := range in.Sources {
		in.Sources[i].validate(p, index("input.sources", i))
	}
	c.validateIdentity(p)
}

func (s *Source) validate(p *Problems, at string) {
	p.topicName(at+".topic", s.Topic)
	oneOf(p, at+".format", s.Encoding(), Avro, JSON)
	if s.Event != "" {
		p.eventName(at+".event", s.Event)
		if s.Fields.Event != "" {
			p.add(at+".fields.event", "not together with event, which says what each record is")
		}
	}
	f := &s.Fields
	for _, field := range []struct{ name, path string }{
		{"event_id", f.EventID},
		{"account_id", f.AccountID},
		{"user_id", f.UserID},
		{"event", f.Event},
		{"occurred_at", f.OccurredAt},
		{"quantity", f.Quantity},
		{"source", f.Source},
		{"properties", f.Properties},
	} {
		switch {
		case field.path == recordKey && field.name != "account_id":
			p.add(at+".fields."+field.name, "the record's key can be the account's id only")
		case field.path != "":
			p.fieldPath(at+".fields."+field.name, field.path)
		}
	}
	names := map[string]bool{}
	for i, e := range f.ExtraProperties {
		at := index(at+".fields.extra_properties", i)
		switch {
		case e.Name == "":
			p.add(at+".name", "it is empty")
		case names[e.Name]:
			p.add(at+".name", "%q is listed twice", e.Name)
		}
		names[e.Name] = true
		p.fieldPath(at+".path", e.Path)
	}
}

// maxEventName is in bytes, as for all ids of an event.
const maxEventName = 256

func (p *Problems) eventName(at, name string) {
	if len(name) > maxEventName || !utf8.ValidString(name) {
		p.add(at, "the name of an event has at most %d bytes, in UTF-8", maxEventName)
	}
}

func (p *Problems) fieldPath(at, path string) {
	for name := range strings.SplitSeq(path, ".") {
		if name == "" {
			p.add(at, "%q is not a path of names joined with dots", path)
			return
		}
	}
}
