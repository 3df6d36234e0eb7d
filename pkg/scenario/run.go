package scenario

import (
	"fmt"
	"math"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/identity"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// Result is what came of a scenario.
type Result struct {
	Scenario *Scenario
	Err      error // it could not be run to its end: a fault of the program's

	file  *File
	edits edits
}

// Run runs a scenario of the file.
func (f *File) Run(s *Scenario) *Result {
	w := &world{
		file: f, engine: f.engine, folder: f.engine.Folder(), accounts: map[string]*account.State{}, users: map[string]*identity.User{},
		soonest: never, now: f.clock.start.UnixMilli(),
	}
	r := &Result{Scenario: s, file: f, edits: newEdits()}
	if w.board, r.Err = f.board(s); r.Err != nil {
		return r
	}
	for _, st := range s.statements {
		came, err := w.live(st)
		if err != nil {
			r.Err = fmt.Errorf("line %d: %w", st.line+1, err)
			return r
		}
		r.edits.compare(f, s, st, came)
	}
	return r
}

// Passed says whether everything came as expected.
func (r *Result) Passed() bool { return r.Err == nil && r.edits.none() }

// world is the accounts and users of one run. It moves time as the runtime does: a record's own time moves the watermark,
// and what is due fires, of whichever account, before the record is folded.
type world struct {
	file      *File
	engine    *account.Engine
	folder    *account.Folder
	accounts  map[string]*account.State
	users     map[string]*identity.User
	waiting   []*usage.Event // those that users hold, and held
	eventTime int64          // the highest seen; ms since the Unix epoch, as all of these
	watermark int64
	soonest   int64 // no timer is due before
	now       int64 // the latest moment that the scenario has come to
	offset    int64 // of the newest record
	facts     []account.Fact
	board     *board // nil: no row is looked at
}

// live does what a line says, and returns what came of it.
func (w *world) live(st *statement) (came []subject, err error) {
	w.facts = w.facts[:0]
	switch st.kind {
	case check:
		return []subject{w.standing(st.account)}, nil
	case rowIs:
		return []subject{{row: w.board.rows[st.row]}}, nil
	case timePasses:
		err = w.pass(st)
	case isAsked:
		err = w.ask(*st.request)
	default:
		for i := range st.events {
			if err = w.event(&st.events[i]); err != nil {
				return nil, err
			}
		}
	}
	for i := range w.facts {
		if f := &w.facts[i]; w.file.show == nil || w.file.show[f.Type] {
			came = append(came, subject{Fact: f})
		}
	}
	return came, err
}

// standing is how an account stands now.
func (w *world) standing(id string) subject {
	s := w.state(id)
	v := w.engine.View(s, w.now)
	return subject{Fact: &v.Fact, view: &v, knows: func(user string) bool { return w.folder.Knows(s, user) }}
}

// state returns an account's state, a new one of an account that nothing is known of.
func (w *world) state(id string) *account.State {
	if s := w.accounts[id]; s != nil {
		return s
	}
	return w.engine.New(id, w.offset)
}

// pass lets time pass to a moment, and puts another checklist in force there.
func (w *world) pass(st *statement) error {
	w.now = max(w.now, st.at)
	w.eventTime = max(w.eventTime, st.at+w.file.disorder)
	if err := w.fire(); err != nil || st.engine == nil {
		return err
	}
	w.engine, w.folder = st.engine, st.engine.Folder()
	for id, s := range w.accounts {
		encoded, err := s.AppendBinary(nil)
		if err != nil {
			return fmt.Errorf("encoding account %q: %w", id, err)
		}
		if w.accounts[id], err = w.engine.Load(id, encoded); err != nil {
			return err
		}
		w.touched(w.accounts[id])
	}
	return w.fire()
}

// arrive moves time on to what arrives.
func (w *world) arrive(at int64) error {
	w.now = max(w.now, at)
	w.eventTime = max(w.eventTime, at)
	return w.fire()
}

// fire moves the watermark and fires what is due, the earliest first, and of one moment by user and then by account.
func (w *world) fire() error {
	w.watermark = max(w.eventTime-w.file.disorder, 0)
	for w.soonest <= w.watermark {
		user, held := first(w.users)
		id, due := first(w.accounts)
		if w.soonest = min(held, due); w.soonest > w.watermark {
			break
		}
		var still int64
		if held <= due {
			id, still = user, w.fireUser(user, held)
		} else {
			still = w.fireAccount(id, due)
		}
		if still > 0 && still <= w.soonest {
			return fmt.Errorf("the timer of %q that was due at %s is still set after it has fired", id, w.file.clock.write(w.soonest))
		}
		if err := w.measure(w.soonest); err != nil {
			return err
		}
	}
	return w.measure(w.watermark)
}

// measure has metrics count what has been told so far, at a watermark.
func (w *world) measure(watermark int64) error {
	if w.board == nil {
		return nil
	}
	return w.board.advance(watermark)
}

// tell takes down facts.
func (w *world) tell(facts []account.Fact) {
	w.facts = append(w.facts, facts...)
	if w.board != nil {
		w.board.tell(facts, w.engine.Checklist())
	}
}

// timed is what has timers.
type timed interface{ NextTimer() int64 } // ms since the Unix epoch; 0: it has none

// touched notes that a timer may have been set.
func (w *world) touched(t timed) {
	if at := t.NextTimer(); at != 0 {
		w.soonest = min(w.soonest, at)
	}
}

// atOnce is when something is due that waits for no moment.
const atOnce = 1

// fireAccount does what is due of an account, and returns when more is.
func (w *world) fireAccount(id string, due int64) int64 {
	s := w.accounts[id]
	if s.Expired(due) {
		delete(w.accounts, id)
		return 0
	}
	at := due
	if due == atOnce {
		at = w.watermark
	}
	_, facts := w.folder.Pass(s, at)
	w.tell(facts)
	return s.NextTimer()
}

// never is later than any timer.
const never = math.MaxInt64

// first returns whose timer is due first; never: nobody's.
func first[T timed](of map[string]T) (id string, due int64) {
	due = never
	for key, t := range of {
		at := t.NextTimer()
		if at != 0 && (at < due || at == due && key < id) {
			id, due = key, at
		}
	}
	return id, due
}
