package checklist

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Definition is a checklist as written. Parse reads it, Compile checks it and makes it work.
type Definition struct {
	Version    int           `yaml:"version"`
	Name       string        `yaml:"name"`
	Preset     string        `yaml:"preset"` // simple, mid, complex or empty: no defaults for tiers
	Signup     *MomentDef    `yaml:"signup"`
	Converted  *MomentDef    `yaml:"converted"`
	Exclude    []string      `yaml:"exclude"` // expressions over account; an account that one fits never qualifies
	Tiers      []TierDef     `yaml:"tiers"`   // the first that fits
	Properties []PropertyDef `yaml:"properties"`
	Playbooks  []PlaybookDef `yaml:"playbooks"`
	Steps      []StepDef     `yaml:"steps"`
	Dedupe     *DedupeDef    `yaml:"dedupe"`
	Activity   *ActivityDef  `yaml:"activity"`
}

// MomentDef names the events that mark a moment of an account's life.
type MomentDef struct {
	Event Names  `yaml:"event"`
	Where string `yaml:"where"`
}

// TierDef is one class of accounts with its bar. With a preset, what is left out of a tier named small, medium or
// large is the preset's.
type TierDef struct {
	Name       string   `yaml:"name"`
	When       *string  `yaml:"when"`        // an expression over account; only the last tier may do without
	Threshold  *float64 `yaml:"threshold"`   // activation rate that qualifies, above 0 and at most 1
	EscalateAt *float64 `yaml:"escalate_at"` // activation rate that escalates; 0 or left out: none
	Playbook   string   `yaml:"playbook"`
}

// PropertyDef declares an account property: its type and the events that it is learned from.
type PropertyDef struct {
	Name    string      `yaml:"name"`
	Type    string      `yaml:"type"` // string, long, double or boolean
	From    []SourceDef `yaml:"from"`
	Default any         `yaml:"default"` // holds until an event tells; left out: missing
}

// SourceDef says which property of which events tells an account property.
type SourceDef struct {
	Event    string `yaml:"event"`    // a name, or * for any event
	Property string `yaml:"property"` // left out: the account property's name
}

// PlaybookDef is what somebody should do about a qualified account.
type PlaybookDef struct {
	Name   string `yaml:"name"`
	Action string `yaml:"action"`
	Queue  string `yaml:"queue"`
	Reason string `yaml:"reason"` // in words, for the person who acts
}

// StepDef is one step of the checklist. Which fields it may have depends on its kind: see Kinds.
type StepDef struct {
	ID      string   `yaml:"id"`
	Kind    string   `yaml:"kind"`
	Event   Names    `yaml:"event"`
	Where   string   `yaml:"where"`
	Weight  *float64 `yaml:"weight"`
	Of      string   `yaml:"of"`
	AtLeast *float64 `yaml:"at_least"`
	Within  *Span    `yaml:"within"`
}

// DedupeDef bounds the memory for event ids already seen.
type DedupeDef struct {
	Horizon *Span `yaml:"horizon"` // 0: off
	Limit   *int  `yaml:"limit"`   // ids an account; 0: off
}

// ActivityDef bounds what is kept of an account's users.
type ActivityDef struct {
	Users *int `yaml:"users"` // users an account; 0: off
}

// Names is one name or a list of them.
type Names []string

// UnmarshalYAML accepts a string or a list of strings.
func (n *Names) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		var one string
		if err := node.Decode(&one); err != nil {
			return err
		}
		*n = Names{one}
		return nil
	}
	var many []string
	if err := node.Decode(&many); err != nil {
		return err
	}
	*n = many
	return nil
}

// Span is a length of time: 7d, 24h, 90m, 30s, or 0.
type Span time.Duration

const day = 24 * time.Hour

// UnmarshalYAML accepts whole days (7d), Go durations and 0.
func (s *Span) UnmarshalYAML(node *yaml.Node) error {
	d, err := parseSpan(node.Value)
	if node.Kind != yaml.ScalarNode || err != nil {
		return &yaml.TypeError{Errors: []string{
			fmt.Sprintf("line %d: `%s` is no length of time such as 7d, 24h or 0", node.Line, node.Value)}}
	}
	*s = Span(d)
	return nil
}

func parseSpan(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 15)
		return time.Duration(n) * day, err
	}
	return time.ParseDuration(text)
}

// days returns a span of whole days, ok is false for any other.
func (s Span) days() (n int, ok bool) {
	return int(time.Duration(s) / day), time.Duration(s)%day == 0
}
