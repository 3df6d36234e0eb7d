package checklist

import (
	"fmt"
	"math"
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
	Zone       string        `yaml:"zone"`   // IANA time zone whose days windows and trials count in; left out: UTC
	Signup     *MomentDef    `yaml:"signup"`
	Converted  *MomentDef    `yaml:"converted"`
	Churned    *MomentDef    `yaml:"churned"`
	Trial      *TrialDef     `yaml:"trial"`
	Inactivity *SilenceDef   `yaml:"inactivity"`       // left out: 14 days
	Demote     bool          `yaml:"demote"`           // a tier with a higher bar takes a PQL away
	Exclude    []string      `yaml:"exclude"`          // expressions over account; an account that one fits never qualifies
	Excluded   []string      `yaml:"exclude_accounts"` // ids of more accounts that never qualify
	NearMiss   bool          `yaml:"near_miss"`        // an account that is one step short is told
	HoldOut    *HoldOutDef   `yaml:"hold_out"`
	Sales      *SalesDef     `yaml:"sales"`
	Segments   []SegmentDef  `yaml:"segments"`
	Tiers      []TierDef     `yaml:"tiers"` // the first that fits
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

// TrialDef says when an account's trial begins and ends.
type TrialDef struct {
	Days   int        `yaml:"days"`
	Starts *MomentDef `yaml:"starts"` // left out: the sign-up
	Ends   *MomentDef `yaml:"ends"`   // events that finish it before its time; left out: none do

	Disqualifies bool `yaml:"disqualifies"` // an account that has not converted by then is no PQL any more
}

// SilenceDef says after how long without an event an account is no PQL any more.
type SilenceDef struct {
	Days *int `yaml:"days"` // 0: never
}

// HoldOutDef sets accounts apart with which nobody is to deal, so that the others can be compared with them.
type HoldOutDef struct {
	Share *float64 `yaml:"share"` // of all accounts, 0 to 1
	Salt  string   `yaml:"salt"`  // another salt sets others apart
}

// SalesDef names the events by which sales says what became of a lead.
type SalesDef struct {
	Accepted      *MomentDef  `yaml:"accepted"`
	Rejected      *OutcomeDef `yaml:"rejected"`
	MeetingBooked *MomentDef  `yaml:"meeting_booked"`
	Won           *MomentDef  `yaml:"won"`
	Lost          *OutcomeDef `yaml:"lost"`
}

// OutcomeDef names the events of an outcome for which there is a reason.
type OutcomeDef struct {
	Event  Names  `yaml:"event"`
	Where  string `yaml:"where"`
	Reason string `yaml:"reason"` // the events' property that says why; left out: none does
}

// SegmentDef names a set of accounts.
type SegmentDef struct {
	Name string `yaml:"name"`
	When string `yaml:"when"` // an expression over account and behaviour
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

	Dimension bool `yaml:"dimension" json:",omitempty"` // a fact tells when it changes
}

// SourceDef says which property of which events tells an account property.
type SourceDef struct {
	Event    string `yaml:"event"`    // a name, or * for any event
	Property string `yaml:"property"` // left out: the account property's name
}

// PlaybookDef is what somebody should do about a qualified account.
type PlaybookDef struct {
	Name    string          `yaml:"name"`
	Action  string          `yaml:"action"`
	Queue   string          `yaml:"queue"`
	Owner   string          `yaml:"owner"`   // whose it is: a text, or account.NAME for what that property says
	Message string          `yaml:"message"` // key of the message to send
	Reason  string          `yaml:"reason"`  // in words, for the person who acts
	Refine  []RefinementDef `yaml:"refine"`  // the first that fits takes the place
}

// RefinementDef changes a playbook for the accounts that an expression fits. What it leaves out is the playbook's.
type RefinementDef struct {
	When    string `yaml:"when"` // an expression over account and behaviour
	Name    string `yaml:"name"`
	Action  string `yaml:"action"`
	Queue   string `yaml:"queue"`
	Owner   string `yaml:"owner"`
	Message string `yaml:"message"`
	Reason  string `yaml:"reason"`
}

// StepDef is one step of the checklist. Which fields it may have depends on its kind: see Kinds.
type StepDef struct {
	ID       string      `yaml:"id"`
	Kind     string      `yaml:"kind"`
	Event    Names       `yaml:"event"`
	Where    string      `yaml:"where"`
	Weight   *float64    `yaml:"weight"` // 0: the step counts for other steps only
	Of       string      `yaml:"of"`
	To       string      `yaml:"to" takes:"numbers"`
	Adds     bool        `yaml:"adds"`
	AtLeast  *float64    `yaml:"at_least"`
	Within   *Window     `yaml:"within"`
	Live     bool        `yaml:"live"` // undone again when what did it holds no longer
	First    *MomentDef  `yaml:"first"`
	Then     *MomentDef  `yaml:"then"`
	After    *MomentDef  `yaml:"after"`
	For      *Window     `yaml:"for"`
	Points   []PointsDef `yaml:"points"`
	Caps     []CapDef    `yaml:"caps"`
	HalfLife *Window     `yaml:"half_life"`
	Day      *int        `yaml:"day"`
	Finished bool        `yaml:"finished"`
	Steps    []string    `yaml:"steps"`
}

// PointsDef says how many points an event of a score is worth.
type PointsDef struct {
	Event  Names   `yaml:"event"`
	Where  string  `yaml:"where"`
	Points float64 `yaml:"points"`
	Group  string  `yaml:"group"` // whose cap holds; left out: none does
}

// CapDef bounds what the events of a group are worth together.
type CapDef struct {
	Group  string  `yaml:"group"`
	AtMost float64 `yaml:"at_most"`
}

// DedupeDef bounds the memory for event ids already seen.
type DedupeDef struct {
	Horizon *Span `yaml:"horizon"` // 0: off
	Limit   *int  `yaml:"limit"`   // ids an account; 0: off
}

// ActivityDef bounds what is kept of an account's users.
type ActivityDef struct {
	Users *int   `yaml:"users"` // users an account; 0: off
	Role  string `yaml:"role"`  // the events' property that tells a user's role; left out: roles are unknown
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

// Window is a length of time in whole days, hours or minutes: 7d, 36h, 90m. The unit is its resolution where a window
// slides: 1d is a day of the calendar, 24h are any 24 hours of the clock.
type Window struct {
	N    int
	Unit time.Duration // a day, an hour or a minute
}

const day = 24 * time.Hour

var (
	windowUnits = map[string]time.Duration{"d": day, "h": time.Hour, "m": time.Minute}
	spanUnits   = map[string]time.Duration{"d": day, "h": time.Hour, "m": time.Minute, "s": time.Second}
)

// UnmarshalYAML accepts a whole number with its unit, and 0.
func (s *Span) UnmarshalYAML(node *yaml.Node) (err error) {
	*s, err = parseSpan(node)
	return err
}

func parseSpan(node *yaml.Node) (Span, error) {
	n, unit, ok := parseLength(node, spanUnits)
	if !ok && (node.Kind != yaml.ScalarNode || strings.Trim(node.Value, "0") != "" || node.Value == "") {
		return 0, fmt.Errorf("%s is no length of time such as 7d, 24h or 0", described(node))
	}
	return Span(time.Duration(n) * unit), nil
}

// UnmarshalYAML accepts a whole number above 0 with its unit.
func (w *Window) UnmarshalYAML(node *yaml.Node) (err error) {
	*w, err = parseWindow(node)
	return err
}

func parseWindow(node *yaml.Node) (Window, error) {
	n, unit, ok := parseLength(node, windowUnits)
	if !ok || n == 0 {
		return Window{}, fmt.Errorf("%s is no length of time such as 7d, 36h or 90m", described(node))
	}
	return Window{n, unit}, nil
}

// parseLength reads a whole number with one of some units.
func parseLength(node *yaml.Node, units map[string]time.Duration) (n int, unit time.Duration, ok bool) {
	if node.Kind != yaml.ScalarNode || node.Value == "" {
		return 0, 0, false
	}
	last := len(node.Value) - 1
	number, err := strconv.ParseUint(node.Value[:last], 10, 31)
	unit, ok = units[node.Value[last:]]
	ok = ok && err == nil && int64(number) <= math.MaxInt64/int64(unit)
	return int(number), unit, ok
}

// Duration is the window's length, with days of 24 hours.
func (w Window) Duration() time.Duration { return time.Duration(w.N) * w.Unit }

// String is the window as it is written.
func (w Window) String() string {
	for letter, unit := range windowUnits {
		if unit == w.Unit {
			return strconv.Itoa(w.N) + letter
		}
	}
	return w.Duration().String()
}
