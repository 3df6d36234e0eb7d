package job

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"strconv"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

// QualifyingDays is over how many days the accounts of Qualifying qualify, as many on each.
const QualifyingDays = 30

const minuteMs = 60_000

// visits are what an account does on the three days that lead to its PQL: on the last one it qualifies, in whatever tier.
var visits = [3][]string{
	{"signed_up", "created_project", "invite_accepted", "session_started"},
	{"invite_accepted", "session_started"},
	{"premium_viewed", "invite_accepted", "storage_used", "session_started"},
}

// Qualifying yields events by which every account becomes a PQL, in the order of their times: each day's within a minute, the last of them
// just before the end, which is in ms since the Unix epoch.
func Qualifying(seed uint64, accounts int, end int64) iter.Seq[*usage.Event] {
	return func(yield func(*usage.Event) bool) {
		g := generator{random: rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15))}
		for day := QualifyingDays - 1 + len(visits) - 1; day >= 0; day-- {
			for number := range accounts {
				visit := number%QualifyingDays + len(visits) - 1 - day
				if visit < 0 || visit >= len(visits) {
					continue
				}
				at := end - int64(day)*dayMs - minuteMs + int64(number)*minuteMs/int64(accounts)
				for i := range visits[visit] {
					if !yield(g.visit(number, visit, i, at)) {
						return
					}
				}
			}
		}
	}
}

// visit returns one of the events of an account's visit. Who does it is another user each time.
func (g *generator) visit(number, visit, i int, at int64) *usage.Event {
	e := &usage.Event{ID: g.id(), Name: visits[visit][i], Quantity: 1, OccurredAt: at,
		AccountID: fmt.Sprintf("acct-%06d", number), UserID: fmt.Sprintf("user-%06d-%d", number, visit)}
	switch e.Name {
	case "signed_up":
		e.Properties = []usage.Property{{Key: "company_size", Value: usage.StringValue(strconv.Itoa(companySize(number)))}}
	case "storage_used":
		e.Quantity = 80
	}
	return e
}
