package inspect

import (
	"math"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// Account is an account for programs. Names and meanings are those of schemas/pql_event.avsc where it has them; the others
// are of account.View. Times are ms since the Unix epoch, UTC.
type Account struct {
	AccountID      string         `json:"account_id"`
	Current        bool           `json:"current"`
	Converted      bool           `json:"converted"`
	Escalated      bool           `json:"escalated"`
	Excluded       bool           `json:"excluded"`
	MergedInto     string         `json:"merged_into"` // all that is known lies there
	Erased         bool           `json:"erased"`
	PartlyErased   bool           `json:"partly_erased"` // a count or a step done still holds what an erased user did
	HoldOut        bool           `json:"hold_out"`
	Silent         bool           `json:"silent"` // it left as nothing happened for too long
	Barred         bool           `json:"barred"` // it takes another step to qualify
	Tier           string         `json:"tier"`
	TierBy         map[string]any `json:"tier_by"` // the account properties that the tier depends on
	Rate           float64        `json:"rate"`
	Threshold      float64        `json:"threshold"`
	SignedUpAt     *int64         `json:"signed_up_at"`
	QualifiedAt    *int64         `json:"qualified_at"`
	Properties     map[string]any `json:"account_properties"`
	Segments       []string       `json:"segments"`
	Checklist      Checklist      `json:"checklist"`
	StepsDone      []Done         `json:"steps_done"`
	StepsMissing   []Missing      `json:"steps_missing"`
	Nearest        []string       `json:"nearest_steps"` // the fewest missing that reach the threshold, none made of others
	Playbook       *Playbook      `json:"playbook"`
	Users          []User         `json:"users"`
	ActiveUsers7d  int            `json:"active_users_7d"`
	ActivatedUsers int            `json:"activated_users"`
	Champion       string         `json:"champion"`
	SingleUser     bool           `json:"single_user"`
	LoneUser       bool           `json:"lone_user"` // of a large account
	History        []Moment       `json:"history"`
}

// Checklist names the definition that the account is judged by.
type Checklist struct {
	Name    string `json:"name"`
	Version int    `json:"version"`
	Hash    string `json:"hash"`
}

// Done is a step that is done, with the evidence.
type Done struct {
	ID        string  `json:"id"`
	Weight    float64 `json:"weight"`
	DoneAt    int64   `json:"done_at"`
	UserID    string  `json:"user_id"`
	EventID   string  `json:"event_id"`
	Topic     string  `json:"source_topic"`
	Partition int32   `json:"source_partition"`
	Offset    int64   `json:"source_offset"`
	Count     float64 `json:"count"`
}

// Missing is a step that is not done.
type Missing struct {
	ID       string  `json:"id"`
	Weight   float64 `json:"weight"`
	Progress float64 `json:"progress"`
	Need     string  `json:"need"`
}

// Playbook is what to do about an account that is a PQL.
type Playbook struct {
	Name    string `json:"name"`
	Refines string `json:"refines"` // the tier's playbook, where this one took its place
	Action  string `json:"action"`
	Queue   string `json:"queue"`
	Owner   string `json:"owner"`
	Message string `json:"message"`
	Reason  string `json:"reason"`
}

// User is one of an account's users.
type User struct {
	ID        string  `json:"id"`
	Events    int64   `json:"events"`
	LastSeen  int64   `json:"last_seen"`
	StepsDone int     `json:"steps_done"`
	Rate      float64 `json:"rate"`
	Activated bool    `json:"activated"`
	Role      string  `json:"role"`
}

// Moment is a transition of the past.
type Moment struct {
	Type       string `json:"type"`
	Step       string `json:"step,omitempty"`
	OccurredAt int64  `json:"occurred_at"`
}

// NewAccount makes the form for programs of an account.
func NewAccount(v *account.View) *Account {
	x := &Account{
		AccountID: v.AccountID, Current: v.Current, Converted: v.Converted, Escalated: v.Escalated, Excluded: v.Excluded,
		MergedInto: v.MergedInto, Erased: v.Erased, PartlyErased: v.PartlyErased,
		HoldOut: v.HoldOut, Silent: v.Silent, Barred: v.Barred,
		Tier: v.Tier, TierBy: plainProperties(v.TierBy), Rate: v.Rate, Threshold: v.Threshold,
		SignedUpAt: orNull(v.SignedUpAt), QualifiedAt: orNull(v.QualifiedAt), Properties: plainProperties(v.Properties),
		Segments: append([]string{}, v.Segments...), Checklist: Checklist(v.Checklist),
		StepsDone: []Done{}, StepsMissing: []Missing{}, Nearest: append([]string{}, v.Nearest...), Playbook: playbookOf(v),
		Users: []User{}, ActiveUsers7d: v.ActiveUsers7d, ActivatedUsers: v.Activated, Champion: v.Champion,
		SingleUser: v.SingleUser, LoneUser: v.LoneUser, History: []Moment{},
	}
	for i := range v.StepsDone {
		s := &v.StepsDone[i]
		x.StepsDone = append(x.StepsDone, Done{
			s.Step, v.Weights[s.Step], s.DoneAt, s.UserID, s.EventID, s.Position.Topic, s.Position.Partition, s.Position.Offset, s.Count,
		})
	}
	for _, m := range v.StepsMissing {
		x.StepsMissing = append(x.StepsMissing, Missing{m.Step, v.Weights[m.Step], m.Progress, m.Need})
	}
	for _, u := range v.Users {
		x.Users = append(x.Users, User(u))
	}
	for _, m := range v.History {
		x.History = append(x.History, Moment{string(m.Type), m.Step, m.OccurredAt})
	}
	return x
}

// playbookOf is nil where there is nothing to do.
func playbookOf(v *account.View) *Playbook {
	p := &v.Playbook
	if p.Name == "" {
		return nil
	}
	return &Playbook{p.Name, v.Refines, p.Action, p.Queue, p.Owner, p.Message, p.Reason}
}

// orNull is nil for a time that is not known.
func orNull(ms int64) *int64 {
	if ms == 0 {
		return nil
	}
	return &ms
}

func plainProperties(properties []usage.Property) map[string]any {
	plain := map[string]any{}
	for _, p := range properties {
		plain[p.Key] = plainValue(p.Value)
	}
	return plain
}

func plainValue(v usage.Value) any {
	switch v.Kind() {
	case usage.Bool:
		return v.Bool()
	case usage.Long:
		return v.Long()
	case usage.Double:
		if d := v.Double(); !math.IsNaN(d) && !math.IsInf(d, 0) { // JSON has no such numbers
			return d
		}
	case usage.String:
		return v.Str()
	}
	return nil
}
