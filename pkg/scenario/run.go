package scenario

import (
	"fmt"

	"github.com/pqlstream/pqlstream/pkg/account"
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
	w := &world{file: f, folder: f.engine.Folder(), accounts: map[string]*account.State{}, now: f.clock.start.UnixMilli()}
	r := &Result{Scenario: s, file: f, edits: newEdits()}
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

// world is the accounts of one run. It moves time as the runtime does: a record's own time moves the watermark, and what
// is due fires, of whichever account, before the record is folded.
type world struct {
	file      *File
	folder    *account.Folder
	accounts  map[string]*account.State
	eventTime int64 // the highest seen; ms since the Unix epoch, as all of these
	watermark int64
	now       int64 // the latest moment that the scenario has come to
	offset    int64 // of the newest event
	facts     []account.Fact
}

// live does what a line says, and returns what came of it.
func (w *world) live(st *statement) ([]subject, error) {
	w.facts = w.facts[:0]
	switch st.kind {
	case check:
		v := w.file.engine.View(w.state(st.account), w.now)
		return []subject{{&v.Fact, &v}}, nil
	case timePasses:
		w.now = max(w.now, st.at)
		w.eventTime = max(w.eventTime, st.at+w.file.disorder)
		if err := w.fire(); err != nil {
			return nil, err
		}
	default:
		for i := range st.events {
			if err := w.event(st, i); err != nil {
				return nil, err
			}
		}
	}
	var came []subject
	for i := range w.facts {
		if f := &w.facts[i]; w.file.show == nil || w.file.show[f.Type] {
			came = append(came, subject{f, nil})
		}
	}
	return came, nil
}

// state returns an account's state, a new one of an account that nothing is known of.
func (w *world) state(id string) *account.State {
	if s := w.accounts[id]; s != nil {
		return s
	}
	return w.file.engine.New(id, w.offset)
}

// event folds one event of a line.
func (w *world) event(st *statement, i int) error {
	ev := &st.events[i]
	w.offset++
	w.now = max(w.now, ev.OccurredAt)
	w.eventTime = max(w.eventTime, ev.OccurredAt)
	if err := w.fire(); err != nil {
		return err
	}
	s := w.state(ev.AccountID)
	changed, facts := w.folder.Apply(s, ev, account.Position{Topic: topic, Offset: w.offset}, w.watermark)
	if changed {
		w.accounts[ev.AccountID] = s // as in the runtime, an account begins with what first changes it
	}
	w.facts = append(w.facts, facts...)
	return nil
}

// fire moves the watermark and fires what is due, the earliest first and of one moment by account.
func (w *world) fire() error {
	w.watermark = max(w.eventTime-w.file.disorder, 0)
	for {
		id, due := w.next()
		if due == 0 || due > w.watermark {
			return nil
		}
		s := w.accounts[id]
		_, facts := w.folder.Pass(s, due)
		w.facts = append(w.facts, facts...)
		if next := s.NextTimer(); next != 0 && next <= due {
			return fmt.Errorf("the timer of %q that was due at %s is still set after it has fired", id, w.file.clock.write(due))
		}
	}
}

// next returns the account whose timer is due first; 0: there is none.
func (w *world) next() (id string, due int64) {
	for key, s := range w.accounts {
		at := s.NextTimer()
		if at != 0 && (due == 0 || at < due || at == due && key < id) {
			id, due = key, at
		}
	}
	return id, due
}
