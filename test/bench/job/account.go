package job

import (
	"encoding/binary"
	"errors"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

// The steps, as bits of Account.done.
const (
	createdProject = 1 << iota
	invitedUsers
	recurringUse
	heavyUse
	quota
	premiumTouch

	steps = 6
	dayMs = 86_400_000
)

// Account is one account's checklist, as one would write it for this job alone. A step that is done stays done, and what
// led to it is dropped.
type Account struct {
	done      byte
	qualified bool
	size      int64
	stored    float64
	users     []string // who accepted an invitation
	days      []int64  // with sessions
	reports   []int64  // the day of each
}

// Relevant says whether events of a name belong to a step or the account's size.
func Relevant(name string) bool {
	switch name {
	case "signed_up", "created_project", "premium_viewed", "invite_accepted", "session_started", "report_run", "storage_used":
		return true
	}
	return false
}

// Apply folds an event and says whether the account changed and whether it qualifies by it, which happens once.
func (a *Account) Apply(e *usage.Event) (changed, qualifies bool) {
	if e.Name == "signed_up" {
		a.size, _ = strconv.ParseInt(e.Property("company_size").Str(), 10, 64)
		changed = true
	} else {
		changed = a.advance(e, e.OccurredAt/dayMs)
	}
	if !changed || a.qualified || float64(a.Steps())/steps < a.threshold() {
		return changed, false
	}
	a.qualified = true
	return true, true
}

func (a *Account) advance(e *usage.Event, day int64) bool {
	switch e.Name {
	case "created_project":
		return a.reach(createdProject, true)
	case "premium_viewed":
		return a.reach(premiumTouch, true)
	case "invite_accepted":
		if a.done&invitedUsers != 0 || slices.Contains(a.users, e.UserID) {
			return false
		}
		a.users = append(a.users, strings.Clone(e.UserID))
		if a.reach(invitedUsers, len(a.users) >= 3) {
			a.users = nil
		}
	case "session_started":
		if a.done&recurringUse != 0 || slices.Contains(a.days, day) {
			return false
		}
		a.days = append(a.days, day)
		if a.reach(recurringUse, len(a.days) >= 3) {
			a.days = nil
		}
	case "report_run":
		if a.done&heavyUse != 0 {
			return false
		}
		a.reports = append(a.reports, day)
		if a.reach(heavyUse, a.heavy(day)) {
			a.reports = nil
		}
	case "storage_used":
		if a.done&quota != 0 {
			return false
		}
		a.stored += e.Quantity
		a.reach(quota, a.stored >= 80)
	default:
		return false
	}
	return true
}

// reach notes that a step is done, and says whether it has just become so.
func (a *Account) reach(step byte, reached bool) bool {
	if !reached || a.done&step != 0 {
		return false
	}
	a.done |= step
	return true
}

// heavy says whether some seven days in a row that hold the day have five reports.
func (a *Account) heavy(day int64) bool {
	for last := day; last < day+7; last++ {
		n := 0
		for _, d := range a.reports {
			if d > last-7 && d <= last {
				n++
			}
		}
		if n >= 5 {
			return true
		}
	}
	return false
}

// Steps is how many steps are done.
func (a *Account) Steps() int { return bits.OnesCount8(a.done) }

// Tier is the account's, by its company's size.
func (a *Account) Tier() string {
	switch {
	case a.size >= 500:
		return "large"
	case a.size >= 50:
		return "medium"
	}
	return "small"
}

// threshold is the share of the steps at which the account qualifies.
func (a *Account) threshold() float64 {
	switch a.Tier() {
	case "large":
		return 0.40
	case "medium":
		return 0.60
	}
	return 0.75
}

// Append appends the account as one blob.
func (a *Account) Append(b []byte) []byte {
	qualified := byte(0)
	if a.qualified {
		qualified = 1
	}
	b = append(b, a.done, qualified)
	b = binary.LittleEndian.AppendUint64(b, math.Float64bits(a.stored))
	b = binary.AppendVarint(b, a.size)
	b = binary.AppendVarint(b, int64(len(a.users)))
	for _, u := range a.users {
		b = appendString(b, u)
	}
	for _, days := range [...][]int64{a.days, a.reports} {
		b = binary.AppendVarint(b, int64(len(days)))
		for _, d := range days {
			b = binary.AppendVarint(b, d)
		}
	}
	return b
}

// ErrBlob says that something is not what Append wrote.
var ErrBlob = errors.New("not an account's blob")

// Load reads what Append wrote, into an Account that is empty and that shares no memory with b.
func (a *Account) Load(b []byte) error {
	if len(b) < 10 {
		return ErrBlob
	}
	a.done, a.qualified = b[0], b[1] == 1
	a.stored = math.Float64frombits(binary.LittleEndian.Uint64(b[2:]))
	r := Reader{Rest: b[10:]}
	a.size = r.Long()
	for n := r.Long(); n > 0 && !r.Bad; n-- {
		a.users = append(a.users, string(r.Text()))
	}
	for _, days := range [...]*[]int64{&a.days, &a.reports} {
		for n := r.Long(); n > 0 && !r.Bad; n-- {
			*days = append(*days, r.Long())
		}
	}
	if r.Bad || len(r.Rest) > 0 {
		return ErrBlob
	}
	return nil
}
