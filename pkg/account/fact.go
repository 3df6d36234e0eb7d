package account

import "github.com/pqlstream/pqlstream/pkg/usage"

// Type says what happened to an account.
type Type string

// The types of facts. Qualified, Requalified, Escalated, Disqualified, Converted and NearMiss go to pql.events as well as to
// pql.lifecycle; the others to pql.lifecycle only.
const (
	SignedUp      Type = "signed_up"
	StepDone      Type = "step_done"
	Qualified     Type = "qualified"
	Requalified   Type = "requalified"
	Escalated     Type = "escalated"
	Disqualified  Type = "disqualified"
	Converted     Type = "converted"
	Churned       Type = "churned"
	StepUndone    Type = "step_undone" // a live step holds no longer
	Active        Type = "active"      // a step has accepted an event, for the first time
	NearMiss      Type = "near_miss"   // one more step would qualify the account: Step names it
	ShutOut       Type = "excluded"    // from now on it can't qualify
	LetIn         Type = "included"    // it can again
	LeadAccepted  Type = "sales_accepted"
	LeadRejected  Type = "sales_rejected"
	MeetingBooked Type = "meeting_booked"
	LeadWon       Type = "sales_won"
	LeadLost      Type = "sales_lost"
	Merged        Type = "merged"      // into the account that Related names: it is no account of its own any more
	Absorbed      Type = "absorbed"    // the account that Related names has become part of this one
	Erased        Type = "erased"      // nothing is known of it any more
	UserErased    Type = "user_erased" // one of its users is not known any more

	SegmentChanged Type = "segment_changed" // tier, segments or dimensions are not what facts have told, and nothing else tells it
)

// Reason says why an account left the qualified state.
type Reason string

// The reasons for which an account leaves. Of a Qualified or Requalified only ReasonTierChanged is one: no step, but a lower
// bar did it.
const (
	Excluded          Reason = "excluded"
	ReasonStepUndone  Reason = "step_undone"  // the rate has fallen below the tier's threshold
	ReasonTierChanged Reason = "tier_changed" // the tier's threshold is above the rate
	ReasonInactive    Reason = "inactive"     // nothing has happened for too long
	ReasonTrialEnded  Reason = "trial_ended"  // and the account has not converted
	ReasonMerged      Reason = "merged"       // it was merged into another account
	ReasonErased      Reason = "erased"       // nothing is known of it any more

	ReasonDefinitionChanged Reason = "definition_changed" // steps are undone by another definition, and the rate has fallen below the threshold
)

// Cause says what made a transition.
type Cause string

// The causes of transitions.
const (
	ByEvent Cause = "event"
	ByTime  Cause = "timer" // time passed: the watermark reached OccurredAt

	ByDefinition Cause = "definition" // the definition is another than the account was folded by
	ByMerge      Cause = "merge"      // accounts were merged: the event is the one that said so
	ByErasure    Cause = "erasure"    // an account or a user was erased: the event is the one that said so
)

// Fact is one transition of an account with the evidence for it: what pql.events, pql.current and pql.lifecycle carry
// (schemas/pql_event.avsc). Its strings and slices are the Fact's own, it stays valid after the fold.
type Fact struct {
	ID            string // UUID v5 of account, incarnation and ordinal: the same at every fold of the same input
	Type          Type
	AccountID     string
	Properties    []usage.Property // the account properties that the checklist declares, in its order
	Segments      []string
	Tier          string
	Rate          float64 // weight of the steps done / weight of all steps, 0 to 1
	Threshold     float64 // the tier's, 0 to 1
	Checklist     ChecklistRef
	Step          string     // the step of a StepDone, StepUndone or NearMiss
	StepsDone     []Evidence // of a SignedUp or StepDone of an account that is no PQL, only the step done now
	StepsMissing  []Missing
	Cause         Cause
	Related       string // of a Merged or Absorbed, the other account
	EventID       string // the event's that made the transition; with EventName, UserID and Position empty if none did
	EventName     string
	UserID        string // the user's whose event made the transition
	Position      Position
	Playbook      Playbook
	Users         []UserActivity // the most active first, at most 5
	ActiveUsers7d int            // users seen in the 7 days up to OccurredAt
	Activated     int            // users whose own rate reaches the tier's threshold
	Champion      string         // the user with the highest rate, of several the most active; empty: no user is known
	SingleUser    bool           // everything was done by one user
	Late          bool           // the event came beyond the allowed disorder
	Reason        Reason         // when the account leaves
	Detail        string         // what sales gives as the reason of a LeadRejected or LeadLost
	HoldOut       bool           // the account belongs to the control group: nobody is to deal with it
	Excluded      bool           // the account can't qualify
	PartlyErased  bool           // a step done or a count still holds what an erased user did
	OccurredAt    int64          // ms since the Unix epoch, UTC: event time
	SignedUpAt    int64          // 0 when the sign-up was not seen
	QualifiedAt   int64          // event time of the newest qualification, 0 before the first
	Current       bool           // the account is a PQL after this transition
}

// ChecklistRef names the definition that a fact was decided by.
type ChecklistRef struct {
	Name    string
	Version int
	Hash    string // of the definition's meaning, hex
}

// Position is where a record lies in Kafka.
type Position struct {
	Topic     string
	Partition int32
	Offset    int64
}

// Evidence is a step done: when, by whom and by which event.
type Evidence struct {
	Step     string
	DoneAt   int64 // ms since the Unix epoch, UTC: event time
	UserID   string
	EventID  string
	Position Position
	Count    float64 // what the step had counted, in its own unit: events, users, days, a sum
}

// Missing is a step not done yet.
type Missing struct {
	Step     string
	Progress float64 // 0 to below 1
	Need     string  // what is missing, in words
}

// Playbook is what the tier advises to do about an account that is a PQL; empty while it is none.
type Playbook struct {
	Name    string
	Action  string
	Queue   string
	Owner   string // whose it is to do; empty: whoever serves the queue
	Message string // key of the message to send
	Reason  string
}

// UserActivity is how active one user was with what the checklist listens to.
type UserActivity struct {
	ID        string
	Events    int64
	LastSeen  int64   // ms since the Unix epoch, UTC: event time
	StepsDone int     // that this user's events completed
	Rate      float64 // the user's own: weight of the steps that this user took part in / weight of those that users can, 0 to 1
	Activated bool    // the rate reaches the tier's threshold
	Role      string  // as events have told last; empty: unknown
}
