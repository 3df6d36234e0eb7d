// Package checklist turns a definition of "ready to buy" into rules that an account's events are held against: steps,
// size tiers with their thresholds, account properties, exclusions.
//
// A Definition is what somebody wrote; Compile makes it a Checklist, which is immutable and safe for concurrent use.
// What one account has reached lies with the account: a step's working set is a Work, which the step updates.
//
// It is pure: it knows nothing of Kafka, Redis, clocks or logs.
package checklist

import "github.com/pqlstream/pqlstream/pkg/usage"

// Checklist is a compiled definition. What its methods return must not be changed.
type Checklist struct {
	name       string
	version    int
	hash       string
	steps      []Step
	groups     []int // the steps over steps, members first
	tiers      []Tier
	properties []Property
	defaults   []usage.Value
	exclude    []Condition
	segments   []segment
	behaves    bool
	listeners  map[string]*Listener
	names      names     // the listeners again
	anywhere   *Listener // for events that only "any event" concerns; nil: none
	total      float64
	horizon    int64
	remembered int
	users      int
	role       string
	timed      bool
	life       life
	bound      int
}

// Listener is what a checklist does with the events of one name.
type Listener struct {
	Event     string    // the name; empty when the checklist has none, only something for any event
	Steps     []Listen  // the steps that they may count for
	Sources   []Source  // account properties that they may tell
	Signup    Condition // nil: they are not sign-ups
	Converted Condition // nil: they are not conversions
	Churned   Condition // nil: they are no ends of a subscription
	Sales     []Saying  // what they may be from sales
	TrialEnd  []uint8   // the inputs of the checklist's TrialEnd that they may count for

	Reads usage.Selection // which of their properties matter to any of these
}

// Listen is an input of a step.
type Listen struct {
	Step uint8 // index of the step
	Role uint8 // of the step's inputs
}

// Source is where an event tells an account property.
type Source struct {
	Property int    // index of the account property
	Path     string // key of the event's property
}

// MaxTierKey is the largest key of a tier: states hold one each, so it is short.
const MaxTierKey = 1<<13 - 1

// Tier is one class of accounts with its bar.
type Tier struct {
	Name       string
	Threshold  float64  // activation rate that qualifies
	EscalateAt float64  // activation rate that escalates; 0: none
	Playbook   Playbook // as written; what it is for an account says Advise
	Large      bool     // its accounts are large: see markLarge
	Key        uint32   // identifies the tier among the checklist's in encoded states: from 1 to MaxTierKey

	when   Condition
	advice *playbook // nil: none
}

// Name is the definition's name.
func (c *Checklist) Name() string { return c.name }

// Version is the definition's version.
func (c *Checklist) Version() int { return c.version }

// Hash identifies what the definition means, in hex: layout, comments, names left to defaults, the order of steps, its
// name and its version don't matter.
func (c *Checklist) Hash() string { return c.hash }

// Steps are the steps, in the definition's order.
func (c *Checklist) Steps() []Step { return c.steps }

// Tiers are the tiers, in the definition's order; at least one.
func (c *Checklist) Tiers() []Tier { return c.tiers }

// TierNames are the names of the tiers, in the same order.
func (c *Checklist) TierNames() (names []string) {
	for i := range c.tiers {
		names = append(names, c.tiers[i].Name)
	}
	return names
}

// Properties are the declared account properties, in the definition's order.
func (c *Checklist) Properties() []Property { return c.properties }

// Defaults are the values of the account properties that hold until an event tells: an account's start.
func (c *Checklist) Defaults() []usage.Value { return c.defaults }

// TotalWeight is the weight of all steps.
func (c *Checklist) TotalWeight() float64 { return c.total }

// Dedupe says for how long (ms of event time) and for how many events of an account ids are remembered; 0: not at all.
func (c *Checklist) Dedupe() (horizon int64, limit int) { return c.horizon, c.remembered }

// Groups are the indexes of the steps that are made of other steps, in an order in which those come first.
func (c *Checklist) Groups() []int { return c.groups }

// Timed says whether time alone can change an account's standing: a step waits for it, or is undone by it.
func (c *Checklist) Timed() bool { return c.timed }

// Role is the property of events that tells a user's role; empty: none does.
func (c *Checklist) Role() string { return c.role }

// Users bounds the users whose activity is kept for an account; 0: none.
func (c *Checklist) Users() int { return c.users }

// StateBound is the most bytes that the encoded state of one account can take.
func (c *Checklist) StateBound() int { return c.bound }

// Listener returns what to do with an event of a name, nil when nothing.
func (c *Checklist) Listener(event string) *Listener {
	if l := c.names.listener(event); l != nil {
		return l
	}
	return c.anywhere
}

// Listens says whether events of a name can matter to an account at all.
func (c *Checklist) Listens(event string) bool { return c.Listener(event) != nil }

// Tier returns the index of an account's tier: the first that fits it, else the last.
func (c *Checklist) Tier(account []usage.Value) int {
	for i := range c.tiers {
		if c.tiers[i].when(nil, account) {
			return i
		}
	}
	return len(c.tiers) - 1
}

// Excluded says whether an account must not qualify.
func (c *Checklist) Excluded(account []usage.Value) bool {
	for _, fits := range c.exclude {
		if fits(nil, account) {
			return true
		}
	}
	return false
}
