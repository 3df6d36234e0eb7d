package inspect

import "github.com/pqlstream/pqlstream/pkg/account"

// Row is an account in a list. What its fields mean is said at Account.
type Row struct {
	AccountID    string    `json:"account_id"`
	Tier         string    `json:"tier"`
	Rate         float64   `json:"rate"`
	Threshold    float64   `json:"threshold"`
	Current      bool      `json:"current"`
	Converted    bool      `json:"converted"`
	HoldOut      bool      `json:"hold_out"`
	SignedUpAt   *int64    `json:"signed_up_at"`
	QualifiedAt  *int64    `json:"qualified_at"`
	ChangedAt    int64     `json:"changed_at"` // when the newest transition happened; 0: there was none
	Segments     []string  `json:"segments"`
	StepsDone    []string  `json:"steps_done"`
	StepsMissing []string  `json:"steps_missing"`
	Champion     string    `json:"champion"`
	SingleUser   bool      `json:"single_user"`
	Playbook     *Playbook `json:"playbook"`
}

// newRow returns an account's row; changedAt is when its newest transition happened.
func newRow(v *account.View, changedAt int64) Row {
	r := Row{
		AccountID: v.AccountID, Tier: v.Tier, Rate: v.Rate, Threshold: v.Threshold, Current: v.Current, Converted: v.Converted,
		HoldOut: v.HoldOut, SignedUpAt: orNull(v.SignedUpAt), QualifiedAt: orNull(v.QualifiedAt), ChangedAt: changedAt,
		Segments: append([]string{}, v.Segments...), StepsDone: []string{}, StepsMissing: []string{},
		Champion: v.Champion, SingleUser: v.SingleUser, Playbook: playbookOf(v),
	}
	for i := range v.StepsDone {
		r.StepsDone = append(r.StepsDone, v.StepsDone[i].Step)
	}
	for i := range v.StepsMissing {
		r.StepsMissing = append(r.StepsMissing, v.StepsMissing[i].Step)
	}
	return r
}
