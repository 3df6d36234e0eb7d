// Package account folds usage events into the state of their account and says what became of it: its life as far as a
// checklist decides it.
//
// A State is encoded as schemas/account_state.avsc describes. Everything is deterministic: state, event, position and
// watermark decide, so that folding the same input again yields the same states and the same facts, ids included.
//
// It is pure: it knows nothing of Kafka, Redis, clocks or logs.
package account

import (
	"slices"
	"sync/atomic"

	"github.com/cespare/xxhash/v2"

	"github.com/pqlstream/pqlstream/pkg/checklist"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// Engine folds usage events into the states of accounts by the rules of a checklist. It is safe for concurrent use; a
// State is not.
type Engine struct {
	checklist *checklist.Checklist
	ref       ChecklistRef
	horizon   int64 // for how long event ids are remembered, ms
	limit     int   // how many of them; 0: none
	users     int   // users tracked; 0: none
	start     standing
	topics    atomic.Pointer[[]string]
}

// standing is what an account's properties decide.
type standing struct {
	tier     uint8
	excluded bool
}

// NewEngine returns an Engine for a checklist.
func NewEngine(c *checklist.Checklist) *Engine {
	horizon, limit := c.Dedupe()
	e := &Engine{
		checklist: c,
		ref:       ChecklistRef{Name: c.Name(), Version: c.Version(), Hash: c.Hash()},
		horizon:   horizon, limit: limit, users: c.Users(),
	}
	e.start = e.standing(c.Defaults())
	return e
}

// Checklist is the checklist that the engine folds by.
func (e *Engine) Checklist() *checklist.Checklist { return e.checklist }

func (e *Engine) standing(properties []usage.Value) standing {
	return standing{tier: uint8(e.checklist.Tier(properties)), excluded: e.checklist.Excluded(properties)}
}

// New returns the state of an account that nothing is known of. The incarnation is the input offset of its first
// record. The state keeps accountID.
func (e *Engine) New(accountID string, incarnation int64) *State {
	return &State{
		engine: e, id: accountID, incarnation: incarnation,
		properties: e.checklist.Defaults(), standing: e.start,
	}
}

// Apply folds an event into its account's state. Nothing but the state, the event, its position and the watermark
// (ms since the Unix epoch) decides what comes of it. It keeps nothing of the event that it does not clone.
//
// Facts come in the order: signed up, steps done, disqualified, converted, qualified or requalified, escalated. So an
// event that converts an account does not qualify it as well. An event whose id is remembered changes nothing.
//
// Only events that had an effect are remembered: one that had none may come again and count then, once.
func (e *Engine) Apply(s *State, ev *usage.Event, pos Position, watermark int64) (changed bool, facts []Fact) {
	l := e.checklist.Listener(ev.Name)
	if l == nil {
		return false, nil
	}
	id := e.identify(ev)
	if id != 0 && s.seen.holds(id, ev.OccurredAt, e.horizon) {
		return false, nil
	}
	t := turn{engine: e, state: s, ev: ev, pos: pos, listener: l, late: ev.OccurredAt < watermark}
	t.learn(l.Sources)
	if len(l.Steps) > 0 || l.Signup != nil || l.Converted != nil {
		t.noteUser()
	}
	t.signUp(l.Signup)
	t.advance(l.Steps)
	t.disqualify()
	t.convert(l.Converted)
	t.qualify()
	t.escalate()
	if t.changed && id != 0 {
		s.seen.add(id, ev.OccurredAt, e.horizon, e.limit)
	}
	return t.changed, t.facts
}

// identify returns a hash of the event's id, 0 when it has none or ids are not remembered.
func (e *Engine) identify(ev *usage.Event) uint64 {
	if e.limit == 0 || ev.ID == "" {
		return 0
	}
	return max(xxhash.Sum64String(ev.ID), 1)
}

// topic returns a copy of a topic's name that all states share.
func (e *Engine) topic(name string) string {
	for {
		known := e.topics.Load()
		var names []string
		if known != nil {
			names = *known
		}
		if i := slices.Index(names, name); i >= 0 {
			return names[i]
		}
		own := clip(name)
		if len(names) >= maxSharedTopics {
			return own
		}
		more := append(slices.Clone(names), own)
		if e.topics.CompareAndSwap(known, &more) {
			return own
		}
	}
}

// maxSharedTopics bounds what topic searches; a deployment has a few source topics.
const maxSharedTopics = 64
