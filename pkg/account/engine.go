// Package account folds usage events into the state of their account and says what became of it: its life as far as a
// checklist decides it.
//
// A State is encoded as schemas/account_state.avsc describes. Everything is deterministic: state, event, position and
// watermark decide, so that folding the same input again yields the same states and the same facts, ids included.
//
// It is pure: it knows nothing of Kafka, Redis, clocks or logs.
package account

import (
	"github.com/cespare/xxhash/v2"

	"github.com/pqlstream/pqlstream/pkg/checklist"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// Engine makes and reads the states of accounts by the rules of a checklist; its Folders fold usage events into them. It is
// safe for concurrent use; a State is not.
type Engine struct {
	checklist  *checklist.Checklist
	ref        ChecklistRef
	horizon    int64   // for how long event ids are remembered, ms
	limit      int     // how many of them; 0: none
	users      int     // users tracked; 0: none
	segmented  bool    // there are segments
	telling    bool    // accounts differ in their tier, segments or dimensions
	dimensions []int   // the properties that accounts are told apart by
	merit      float64 // weight of the steps that users can take part in
	rank       []uint8 // of each step among their keys
	ranked     []int   // the steps by rank
	stepKeys   []byte  // their keys, by rank
	start      standing
	wanted     [len(types)]bool // types of facts, of any account
	timed      bool             // time alone can change accounts
	pqls       bool             // facts of accounts that are or were a PQL are wanted, whatever their type
	outlines   bool             // those that are not wanted are told in outline
}

// standing is what an account's properties decide.
type standing struct {
	tier     uint8
	excluded bool
}

// NewEngine returns an Engine for a checklist that returns every fact.
func NewEngine(c *checklist.Checklist) *Engine {
	horizon, limit := c.Dedupe()
	e := &Engine{
		checklist: c,
		ref:       ChecklistRef{Name: c.Name(), Version: c.Version(), Hash: c.Hash()},
		horizon:   horizon, limit: limit, users: c.Users(), timed: c.Timed(), segmented: len(c.SegmentNames()) > 0,
	}
	e.findDimensions()
	for i := range e.wanted {
		e.wanted[i] = true
	}
	e.rankSteps()
	for i := range c.Steps() {
		if step := &c.Steps()[i]; step.Credits() {
			e.merit += step.Weight
		}
	}
	e.start = e.standing(c.Defaults())
	return e
}

// Wanting returns an Engine that folds just the same, and returns facts only of the types that wanted says and, if pqls
// says so, all facts of accounts that are or were a PQL. Facts that nobody wants cost next to nothing.
func (e *Engine) Wanting(wanted func(Type) bool, pqls bool) *Engine {
	some := *e
	some.pqls = pqls
	for i, kind := range types {
		some.wanted[i] = wanted(kind)
	}
	return &some
}

// Outlining returns an Engine that folds just the same, and returns the facts that are not wanted in outline: without id, event, user and position,
// without evidence, what is missing and users, which are most of the work.
func (e *Engine) Outlining() *Engine {
	some := *e
	some.outlines = true
	return &some
}

// Checklist is the checklist that the engine folds by.
func (e *Engine) Checklist() *checklist.Checklist { return e.checklist }

func (e *Engine) standing(properties []usage.Value) standing {
	return standing{tier: uint8(e.checklist.Tier(properties)), excluded: e.checklist.Excluded(properties)}
}

// New returns the state of an account that nothing is known of. The incarnation is the input offset of its first
// record. The state keeps accountID.
func (e *Engine) New(accountID string, incarnation int64) *State {
	return &State{id: accountID, incarnation: incarnation, parts: newParts(), standing: e.standingOn(accountID, e.start), due: checklist.Never, flags: unjudged}
}

// idle says whether an event can't change the state any more: many are for steps that are done.
func (e *Engine) idle(s *State, l *checklist.Listener, ev *usage.Event) bool {
	if len(l.Sources) > 0 || e.users > 0 && ev.UserID != "" || s.has(unjudged|silent) ||
		l.Signup != nil && !s.has(signedUp) || l.Converted != nil && !s.has(converted) || l.Churned != nil && s.has(converted) ||
		len(l.Sales) > 0 || len(l.TrialEnd) > 0 && !s.has(trialOver) || e.livens(s, l, ev.OccurredAt) {
		return false
	}
	for _, in := range l.Steps {
		if !s.stepDone(int(in.Step)) || e.checklist.Steps()[in.Step].Live {
			return false
		}
	}
	return true
}

// identify returns a hash of the event's id, 0 when it has none or ids are not remembered.
func (e *Engine) identify(ev *usage.Event) uint64 {
	if e.limit == 0 || ev.ID == "" {
		return 0
	}
	return max(xxhash.Sum64String(ev.ID), 1)
}
