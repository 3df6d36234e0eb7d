package rollup

import (
	"cmp"
	"fmt"
)

// Cell names one counter of a window. Counters are sums of what accounts contribute: they are added up in any order, and what
// an account has contributed can be taken back.
type Cell struct {
	Kind   Kind
	Name   string // what Kind.Named says; empty where it says nothing
	Number int32  // what Kind.Numbered says; 0 where it says nothing
}

func (c Cell) compare(o Cell) int {
	return cmp.Or(cmp.Compare(c.Kind, o.Kind), cmp.Compare(c.Name, o.Name), cmp.Compare(c.Number, o.Number))
}

// check says what is wrong with a cell.
func (c Cell) check() error {
	k := c.Kind.spec()
	switch {
	case k == nil:
		return fmt.Errorf("kind of counter %d is unknown", c.Kind)
	case (k.named == NoName) != (c.Name == ""):
		return fmt.Errorf("counter %s with the name %q", k.word, c.Name)
	case k.numbered == NoNumber && c.Number != 0:
		return fmt.Errorf("counter %s with the number %d", k.word, c.Number)
	}
	return nil
}

// Kind says what a Cell counts.
type Kind uint8

// The kinds of counters. Accounts that are excluded, merged into another, or erased contribute to none.
//
// "Treated" accounts are those that are not held out; "held" ones belong to the control group. Which an account is decides
// the fact that the counter starts from: the qualification, or the first that told the sign-up.
const (
	// Period: by the moment at which something happened, in the group that the account was in then.

	In            Kind = iota + 1 // accounts became PQLs: Name qualified (first time), requalified, segment_changed (came from another group)
	Out                           // PQLs left: Name a reason, converted, or segment_changed (went to another group)
	SignupUnknown                 // of In qualified: the sign-up was never seen
	TimeToPQL                     // of In qualified with a sign-up: from sign-up, Number the bin
	TimeToPQLSum                  // ms, of the same
	Accounts                      // treated accounts that qualified, first time or again: each once a window, with its first qualification in it
	Paid                          // of Accounts: converted within Number days of that qualification
	TimeToPaid                    // of Accounts: converted since, by the time from that qualification, Number the bin
	TimeToPaidSum                 // ms, of the same
	HeldAccounts                  // as Accounts, of held ones
	HeldPaid                      // as Paid, of HeldAccounts
	Feedback                      // what sales has said: Name the fact's type

	// Cohort: by the moment of sign-up, in the group that the account was in when its sign-up was told first.

	SignedUp            // accounts that signed up
	QualifiedWithin     // of SignedUp: qualified for the first time within Number days of sign-up
	CohortTimeToPQL     // of SignedUp: qualified since, by the time from sign-up to the first time, Number the bin
	CohortTimeToPQLSum  // ms, of the same
	HeldSignedUp        // of SignedUp: held
	HeldQualifiedWithin // of QualifiedWithin: held
	PaidSince           // treated of SignedUp: converted within the horizon after sign-up
	QualifiedPaidSince  // of PaidSince: those of QualifiedWithin Number days
	StepTime            // of SignedUp: have done the step Name, by the time from sign-up to the first time, Number the bin
	StepTimeSum         // ms, of the same
	Rate                // of SignedUp: by the newest activation rate: Number is how many whole tenths it has, 0 to 10

	afterKinds
)

// Clock says by which moment of an account's life a counter puts it into windows.
type Clock uint8

// The clocks.
const (
	Period Clock = iota // when it happened
	Cohort              // when the account signed up
)

// Named says what a Cell's Name is.
type Named uint8

// What names are.
const (
	NoName Named = iota
	Entry        // how an account came to be a PQL: the facts' types qualified and requalified, or segment_changed
	Exit         // why it left: one of Reasons, converted, segment_changed
	Saying       // a fact's type, one of Sayings
	StepID       // a step of the checklist
)

// Numbered says what a Cell's Number is.
type Numbered uint8

// What numbers are.
const (
	NoNumber Numbered = iota
	Days              // a number of days, one of the settings' paid days or cohort days
	Bin               // a bin of the sketch of durations
	Tenths            // 0 to 10
)

type kindSpec struct {
	word     string
	clock    Clock
	named    Named
	numbered Numbered
}

// kinds is the one list of what there is to count.
var kinds = [afterKinds]kindSpec{
	In:                  {"in", Period, Entry, NoNumber},
	Out:                 {"out", Period, Exit, NoNumber},
	SignupUnknown:       {"signup_unknown", Period, NoName, NoNumber},
	TimeToPQL:           {"time_to_pql", Period, NoName, Bin},
	TimeToPQLSum:        {"time_to_pql_sum", Period, NoName, NoNumber},
	Accounts:            {"accounts", Period, NoName, NoNumber},
	Paid:                {"paid", Period, NoName, Days},
	TimeToPaid:          {"time_to_paid", Period, NoName, Bin},
	TimeToPaidSum:       {"time_to_paid_sum", Period, NoName, NoNumber},
	HeldAccounts:        {"held_accounts", Period, NoName, NoNumber},
	HeldPaid:            {"held_paid", Period, NoName, Days},
	Feedback:            {"feedback", Period, Saying, NoNumber},
	SignedUp:            {"signed_up", Cohort, NoName, NoNumber},
	QualifiedWithin:     {"qualified_within", Cohort, NoName, Days},
	CohortTimeToPQL:     {"cohort_time_to_pql", Cohort, NoName, Bin},
	CohortTimeToPQLSum:  {"cohort_time_to_pql_sum", Cohort, NoName, NoNumber},
	HeldSignedUp:        {"held_signed_up", Cohort, NoName, NoNumber},
	HeldQualifiedWithin: {"held_qualified_within", Cohort, NoName, Days},
	PaidSince:           {"paid_since", Cohort, NoName, NoNumber},
	QualifiedPaidSince:  {"qualified_paid_since", Cohort, NoName, Days},
	StepTime:            {"step_time", Cohort, StepID, Bin},
	StepTimeSum:         {"step_time_sum", Cohort, StepID, NoNumber},
	Rate:                {"rate", Cohort, NoName, Tenths},
}

// Kinds lists all kinds of counters.
func Kinds() []Kind {
	var all []Kind
	for k := In; k < afterKinds; k++ {
		all = append(all, k)
	}
	return all
}

func (k Kind) spec() *kindSpec {
	if k == 0 || k >= afterKinds {
		return nil
	}
	return &kinds[k]
}

func (k Kind) String() string {
	if s := k.spec(); s != nil {
		return s.word
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Clock says by which moment the kind puts accounts into windows.
func (k Kind) Clock() Clock { return kinds[k].clock }

// Named says what the Name of a Cell of the kind is.
func (k Kind) Named() Named { return kinds[k].named }

// Numbered says what the Number of a Cell of the kind is.
func (k Kind) Numbered() Numbered { return kinds[k].numbered }

// Standing says whether the kind moves the number of accounts that are PQLs: In adds to it, Out takes from it.
func (k Kind) Standing() bool { return k == In || k == Out }
