package checklist

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

// Bounds of a definition.
const (
	// MaxSteps is how many steps a checklist can have.
	MaxSteps = 100
	// MaxProperties is how many account properties a checklist can declare.
	MaxProperties = 50

	maxTiers     = 20
	maxExclude   = 100
	maxEvents    = 100 // names, for one step or moment
	maxText      = 1000
	maxWeight    = 1e6
	minThreshold = 1e-6 // below, rounding would let accounts qualify that have done nothing
	maxUsers     = 200
	maxDedupe    = 4096

	anyEvent = "*"

	defaultHorizon = 24 * time.Hour
	defaultLimit   = 256
	defaultUsers   = 20
)

var (
	namePattern     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
	propertyPattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,63}$`)
)

// Compile checks a definition and makes it work. Its error joins a Problem for each thing that is wrong.
func Compile(def *Definition) (*Checklist, error) {
	c := &compiler{def: def, workKeys: keysOf{}, out: &Checklist{
		name: def.Name, version: def.Version, listeners: map[string]*Listener{},
	}}
	c.compileHead()
	c.compileZone()
	c.compileProperties()
	x, err := newExpressions(c.out.properties, c.stepIDs())
	if err != nil {
		return nil, err
	}
	c.expressions = x
	c.compileLife()
	c.compileTrial()
	c.compileTiers()
	c.compileSteps()
	c.compileTrialEnd()
	c.compileSegments()
	c.compileMemory()
	c.listenEverywhere()
	if err := c.err(); err != nil {
		return nil, err
	}
	c.out.timed = c.out.life.inactivity > 0 || c.out.life.trialEnd != nil
	for i := range c.out.steps {
		c.out.timed = c.out.timed || c.out.steps[i].traits.timed
	}
	c.noteReads()
	c.out.names = newNames(c.out.listeners)
	if c.out.bound = c.out.stateBound(); c.out.bound > maxState {
		c.add("steps", "an account's state could take %d bytes, over the limit of %d: lower at_least of distinct and days steps",
			c.out.bound, maxState)
		return nil, c.err()
	}
	c.meaning.Properties, c.meaning.Zone = propertiesMeant(def), c.calendar.name
	if c.out.hash, err = c.meaning.hash(); err != nil {
		return nil, fmt.Errorf("hashing the definition: %w", err)
	}
	return c.out, nil
}

// compiler is one run of Compile.
type compiler struct {
	problems
	def         *Definition
	out         *Checklist
	expressions *expressions
	calendar    *calendar
	trial       *trial   // nil: there is none
	everywhere  []Source // account properties that any event may tell
	workKeys    keysOf   // of the steps' working sets
	meaning     meaning
}

func (c *compiler) compileHead() {
	if c.def.Version < 1 {
		c.add("version", "%d is not a whole number above 0", c.def.Version)
	}
	if !namePattern.MatchString(c.def.Name) {
		c.add("name", notName, c.def.Name)
	}
	if c.def.Preset != "" && presets[c.def.Preset] == nil {
		c.add("preset", "%q is none of simple, mid, complex", c.def.Preset)
	}
	c.atMost("properties", len(c.def.Properties), MaxProperties)
	c.atMost("exclude", len(c.def.Exclude), maxExclude)
	c.atMost("tiers", len(c.def.Tiers), maxTiers)
	c.atMost("steps", len(c.def.Steps), MaxSteps)
}

func (c *compiler) compileMoment(path string, d *MomentDef, set func(*Listener, Condition)) *momentMeaning {
	if d == nil {
		return nil
	}
	m := &momentMeaning{Events: sorted(d.Event)}
	is := always
	if d.Where != "" {
		is, m.Where = c.condition(path+".where", c.expressions.event, d.Where)
	}
	for _, l := range c.listenAll(path, d.Event) {
		set(l, is)
	}
	return m
}

func (c *compiler) compileTiers() {
	playbooks := c.compilePlaybooks()
	tiers := tiersWithDefaults(c.def)
	if len(tiers) == 0 && c.def.Preset == "" {
		c.add("tiers", "is missing: name at least one tier, or a preset")
	}
	if len(c.def.Tiers) == 0 && len(tiers) > 0 && !c.declared("company_size", "long") {
		c.add("properties", "the preset's tiers need the account property company_size of type long")
		return
	}
	seen, keys := map[string]bool{}, keysOf{}
	for i := range tiers {
		c.compileTier(fmt.Sprintf("tiers[%d]", i), &tiers[i], i == len(tiers)-1, seen, playbooks)
		c.takeKey(keys, tierKey(tiers[i].Name), fmt.Sprintf("tiers[%d].name", i), tiers[i].Name)
	}
	if len(tiers) > 0 {
		markLarge(c.out.tiers, c.def.Preset)
	}
}

func tierKey(name string) uint32 { return 1 + key("tier", name)%MaxTierKey }

func (c *compiler) declared(name, typ string) bool {
	return slices.ContainsFunc(c.def.Properties, func(p PropertyDef) bool { return p.Name == name && p.Type == typ })
}

func (c *compiler) compileTier(path string, d *TierDef, last bool, seen map[string]bool, playbooks map[string]*playbook) {
	c.checkName(path+".name", d.Name, seen)
	t := Tier{Name: d.Name, when: always, Key: tierKey(d.Name)}
	m := tierMeaning{Name: d.Name}
	switch {
	case d.When != nil:
		t.when, m.When = c.condition(path+".when", c.expressions.account, *d.When)
	case !last:
		c.add(path+".when", "is missing: without it no tier after this one can fit")
	}
	switch v := d.Threshold; {
	case v == nil:
		c.add(path+".threshold", "is missing")
	case !(*v >= minThreshold && *v <= 1):
		c.add(path+".threshold", "%v is not from 0.000001 to 1", *v)
	default:
		t.Threshold = *v
	}
	if v := d.EscalateAt; v != nil && *v != 0 {
		if t.EscalateAt = *v; !(*v >= t.Threshold && *v <= 1) {
			c.add(path+".escalate_at", "%v is not between the threshold and 1", *v)
		}
	}
	if d.Playbook != "" {
		if t.advice = playbooks[d.Playbook]; t.advice == nil {
			c.add(path+".playbook", "there is no playbook %q", d.Playbook)
		} else {
			t.Playbook, m.Playbook = t.advice.Playbook, t.advice.meant()
		}
	}
	m.Threshold, m.EscalateAt = t.Threshold, t.EscalateAt
	c.out.tiers = append(c.out.tiers, t)
	c.meaning.Tiers = append(c.meaning.Tiers, m)
}

func (c *compiler) compileMemory() {
	horizon, limit, users := defaultHorizon, defaultLimit, defaultUsers
	if d := c.def.Dedupe; d != nil && d.Horizon != nil {
		horizon = time.Duration(*d.Horizon)
	}
	if d := c.def.Dedupe; d != nil && d.Limit != nil {
		limit = *d.Limit
	}
	if a := c.def.Activity; a != nil && a.Users != nil {
		users = *a.Users
	}
	if horizon < 0 || horizon > maxWithin*day {
		c.add("dedupe.horizon", "%v is not between 0 and %dd", horizon, maxWithin)
	}
	if limit < 0 || limit > maxDedupe {
		c.add("dedupe.limit", "%d is not between 0 and %d", limit, maxDedupe)
	}
	if users < 0 || users > maxUsers {
		c.add("activity.users", "%d is not between 0 and %d", users, maxUsers)
	}
	if horizon == 0 || limit == 0 {
		horizon, limit = 0, 0
	}
	c.compileRole(users)
	c.checkActivity()
	c.out.horizon, c.out.remembered, c.out.users = horizon.Milliseconds(), limit, users
	c.meaning.Horizon, c.meaning.Remembered, c.meaning.Users = c.out.horizon, limit, users
}

// MaxRole is the longest role of a user that is kept, in bytes.
const MaxRole = 32

func (c *compiler) compileRole(users int) {
	a := c.def.Activity
	if a == nil || a.Role == "" {
		return
	}
	if users == 0 {
		c.add("activity.role", "needs users whose activity is kept: activity.users is 0")
	}
	if len(a.Role) > maxKey {
		c.add("activity.role", "is over the limit of %d bytes", maxKey)
	}
	c.out.role, c.meaning.Role = a.Role, a.Role
}

// condition compiles an expression; a wrong one is never true.
func (c *compiler) condition(path string, in *language[*usage.Event], text string) (Condition, string) {
	is, canonical, err := in.compile(text)
	if err != nil {
		c.addLines(path, err)
		return never, ""
	}
	return is, canonical
}

// addLines adds each line of an expression's error.
func (c *compiler) addLines(path string, err error) {
	for _, line := range strings.Split(err.Error(), "\n") {
		c.add(path, "%s", line)
	}
}

// listen returns the listener of an event's name, nil when it is not one.
func (c *compiler) listen(path, event string) *Listener {
	switch {
	case event == anyEvent:
		c.add(path, "* stands for any event only in `from` of properties: name the events")
		return nil
	case !isEventName(event):
		c.add(path, notEventName, event)
		return nil
	}
	l := c.out.listeners[event]
	if l == nil {
		l = &Listener{Event: event}
		c.out.listeners[event] = l
	}
	return l
}

const (
	notName      = "%q is not a name of 1 to 64 letters, digits, dots, dashes or underscores"
	notEventName = "%q is not an event's name of 1 to 256 bytes"
)

func isEventName(text string) bool {
	return text != "" && text != anyEvent && len(text) <= 256 && utf8.ValidString(text)
}

func (c *compiler) listenAll(path string, events Names) (listeners []*Listener) {
	if len(events) == 0 {
		c.add(path+".event", "is missing")
	}
	c.atMost(path+".event", len(events), maxEvents)
	for i, event := range events {
		if slices.Contains(events[:i], event) {
			c.add(path+".event", "%q is listed twice", event)
			continue
		}
		if l := c.listen(path+".event", event); l != nil {
			listeners = append(listeners, l)
		}
	}
	return listeners
}

// listenEverywhere gives every event the sources that any event may be.
func (c *compiler) listenEverywhere() {
	if len(c.everywhere) == 0 {
		return
	}
	for _, l := range c.out.listeners {
		l.Sources = append(l.Sources, c.everywhere...)
	}
	c.out.anywhere = &Listener{Sources: c.everywhere}
}

// checkName checks a name that may not come twice. Names of account properties are words of expressions.
func (c *compiler) checkName(path, name string, seen map[string]bool) {
	pattern, words := namePattern, "1 to 64 letters, digits, dots, dashes or underscores"
	if strings.HasPrefix(path, "properties") {
		pattern, words = propertyPattern, "1 to 64 letters, digits or underscores that starts with none of the digits"
	}
	if !pattern.MatchString(name) {
		c.add(path, "%q is not a name of %s", name, words)
	} else if seen[name] {
		c.add(path, "%q is taken already", name)
	}
	seen[name] = true
}

func (c *compiler) atMost(path string, n, limit int) {
	if n > limit {
		c.add(path, "are %d, over the limit of %d", n, limit)
	}
}

func sorted(names Names) []string { return slices.Sorted(slices.Values(names)) }
