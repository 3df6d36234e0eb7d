// Package scenario reads and runs scenario files: a checklist, what happens to some accounts line by line, and what must
// come of each line. docs/scenarios.md is their reference.
//
// A file's expectations are edited, never printed anew: what differs from what came is an edit of a line, which Diff shows
// and Update makes. So comments and layout stay, and a file that was updated passes.
//
// It is pure: texts come in as bytes, and a checklist that a file names through a function of the caller's.
package scenario

import (
	"fmt"
	"slices"
	"time"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/checklist"
	"github.com/pqlstream/pqlstream/pkg/identity"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// Extension is how the names of scenario files end.
const Extension = ".scenario"

// Bounds of a scenario file.
const (
	maxBytes  = 1 << 20
	maxRepeat = 10_000
	maxEvents = 100_000
)

const (
	defaultDisorder = 5 * time.Minute
	topic           = "scenario" // where the events' positions lie
	retention       = 30 * 24 * time.Hour
)

// defaultLimits are the settings' defaults. Topics keep records for as long as those that the product makes.
var defaultLimits = identity.Limits{Hold: 72 * time.Hour.Milliseconds(), Events: 100, Retention: retention.Milliseconds()}

// defaultStart is a Monday.
var defaultStart = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

// File is a scenario file that was read without problems.
type File struct {
	Name      string
	Scenarios []*Scenario

	text     []byte
	lines    []string // without what ends them
	eol      string
	clock    clock
	disorder int64                 // ms
	limits   identity.Limits       // of what is held of users of whom no account is known
	show     map[account.Type]bool // the types of transitions that are compared; nil: all
	metrics  *metrics              // nil: no scenario looks at any
	engine   *account.Engine
}

// Scenario is one story of a file. It starts from nothing.
type Scenario struct {
	Name string
	Line int // counted from 1

	end        int  // the index of the line after its last
	several    bool // it has several accounts
	statements []*statement
}

// Checklist is what the file's scenarios begin with.
func (f *File) Checklist() *checklist.Checklist { return f.engine.Checklist() }

// Steps are the ids of the steps that the scenario expects something of, each once, in alphabetical order.
func (s *Scenario) Steps() []string {
	var ids []string
	for _, st := range s.statements {
		for i := range st.wants {
			ids = append(ids, st.wants[i].steps()...)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// steps are the ids of the steps that the line names.
func (w *want) steps() (ids []string) {
	if ofStep(w.kind) {
		ids = append(ids, w.step)
	}
	for i := range w.attributes {
		switch a := &w.attributes[i]; {
		case a.about == aStep:
			ids = append(ids, a.name)
		case a.words == doneSteps || a.words == missingSteps:
			ids = append(ids, a.value.list...)
		}
	}
	return ids
}

// statement is one line that says that something happens, how an account stands, or what a row of the metrics holds.
type statement struct {
	kind    statementKind
	line    int    // index among the file's lines
	account string // whose the line is; empty where it is of none, or of several
	events  []usage.Event
	request *account.Message // of what is asked for; to no account yet where it is for all of a user
	at      int64            // of time passing; ms since the Unix epoch
	engine  *account.Engine  // of time passing: of the checklist that holds from then on; nil: the one before
	row     string           // key of the row that is looked at
	wants   []want           // of what leads to transitions: those; of a check or a row: that, one
}

type statementKind uint8

const (
	somethingHappens statementKind = iota
	isAsked
	timePasses
	check
	rowIs
)

// want is what a line expects: a transition, the standing of an account, or a row.
type want struct {
	line       int          // index among the file's lines
	kind       account.Type // of a transition
	step       string       // of a transition of a step
	stepAt     span
	attributes []attribute
	keyEnd     int // of what says which row it is, in its line
	end        int // of what it says, in its line: white space or a comment follows
}

// span is a piece of a line.
type span struct{ from, to int }

// Problem is one thing wrong with a file. Parse reports all of them at once, joined.
type Problem struct {
	File    string
	Line    int // counted from 1; 0: it is about the whole file
	Message string
}

func (p *Problem) Error() string {
	if p.Line == 0 {
		return p.File + ": " + p.Message
	}
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Message)
}

// transitions are the types that a line can expect.
var transitions = []account.Type{
	account.SignedUp, account.Active, account.StepDone, account.StepUndone, account.Qualified, account.Requalified, account.Escalated,
	account.NearMiss, account.Disqualified, account.Converted, account.Churned, account.ShutOut, account.LetIn,
	account.LeadAccepted, account.LeadRejected, account.MeetingBooked, account.LeadWon, account.LeadLost, account.SegmentChanged,
	account.Merged, account.Absorbed, account.Erased, account.UserErased, deadLetter,
}

// deadLetter is the transition of an event, or of what accounts send one another, that leads nowhere. It is of no account.
const deadLetter account.Type = "dead_letter"

// The codes of dead letters are their reasons.
const (
	unanswerable       account.Reason = "unanswerable"
	userWithoutAccount account.Reason = "user_without_account"
)

// ofStep says whether a transition is of a step, which stands behind its name.
func ofStep(t account.Type) bool {
	return t == account.StepDone || t == account.StepUndone || t == account.NearMiss
}
