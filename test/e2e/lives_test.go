package e2e

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/pqlstream/pqlstream/pkg/simulate"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// The events that ask for something, and the property that names the account that becomes part of the event's.
const (
	mergeEvent        = "account_merged"
	mergedFrom        = "from"
	eraseAccountEvent = "account_erased"
	eraseUserEvent    = "user_erased"
)

// livesOf yields n events about accounts: the random stream, with all that may become of accounts, users and leads mixed in.
// Some accounts are merged, some into one another at once, some requests come twice; accounts and users are erased; some
// users have several accounts, and some of their events name none.
func livesOf(seed uint64, n, accounts int) iter.Seq[*usage.Event] {
	return mixed(seed, simulate.Random(seed, n, accounts), func(string) bool { return false })
}

// mixed mixes all that into a stream. To accounts that are alone nothing happens that comes from elsewhere than their own events, and
// none of these is late.
func mixed(seed uint64, stream iter.Seq[*usage.Event], alone func(account string) bool) iter.Seq[*usage.Event] {
	return func(yield func(*usage.Event) bool) {
		l := &lives{rng: rand.New(rand.NewPCG(seed, 9)), alone: alone}
		for ev := range stream {
			for _, ev := range l.around(ev) {
				if !yield(ev) {
					return
				}
			}
		}
	}
}

// lives draws what happens beside a stream of events.
type lives struct {
	rng   *rand.Rand
	alone func(account string) bool
	n     int
	seen  [64]*usage.Event // some of the stream
	asked []*usage.Event   // requests, to be repeated
}

// around returns an event as it comes, and what comes with it.
func (l *lives) around(ev *usage.Event) []*usage.Event {
	l.n++
	what := l.rng.IntN(400)
	if l.alone(ev.AccountID) {
		return l.aroundAlone(ev, what)
	}
	l.seen[l.rng.IntN(len(l.seen))] = ev
	switch {
	case what < 12:
		return []*usage.Event{l.late(ev)}
	case what < 20:
		return []*usage.Event{l.late(ev), l.shared(ev)}
	case what < 40:
		return []*usage.Event{l.shared(ev)}
	case what < 60:
		return []*usage.Event{l.withoutAccount(l.shared(ev))}
	case what < 70:
		return []*usage.Event{l.withoutAccount(ev)}
	case what < 90:
		return []*usage.Event{ev, l.feedback(ev)}
	case what < 100:
		return []*usage.Event{ev, l.told(ev)}
	case what < 103:
		return append(l.merge(ev), ev)
	case what < 104:
		return append(l.merge(ev), l.repeat(ev), ev)
	case what == 106:
		return []*usage.Event{l.request(ev, eraseAccountEvent, "")}
	case what == 107:
		return []*usage.Event{ev, l.request(ev, eraseAccountEvent, "")}
	case what < 111 && ev.UserID != "":
		return []*usage.Event{ev, l.request(ev, eraseUserEvent, ev.UserID)}
	}
	return []*usage.Event{ev}
}

// aroundAlone is around of an account that is alone.
func (l *lives) aroundAlone(ev *usage.Event, what int) []*usage.Event {
	switch {
	case what < 20:
		return []*usage.Event{ev, l.feedback(ev)}
	case what < 30:
		return []*usage.Event{ev, l.event(ev, "plan_changed", "", l.plan())}
	case what < 36:
		return []*usage.Event{l.event(ev, "trial_cancelled", ev.UserID), ev}
	case what == 36:
		return []*usage.Event{ev, l.event(ev, eraseAccountEvent, "")}
	}
	return []*usage.Event{ev}
}

// late is an event that comes up to three days after it happened, sometimes up to twelve.
func (l *lives) late(ev *usage.Event) *usage.Event {
	late, most := *ev, 3*24*time.Hour
	if l.rng.IntN(4) == 0 {
		most *= 4
	}
	late.OccurredAt -= l.rng.Int64N(most.Milliseconds())
	return &late
}

// shared is an event of one of the users who have several accounts.
func (l *lives) shared(ev *usage.Event) *usage.Event {
	of := *ev
	if of.UserID != "" {
		of.UserID = fmt.Sprintf("shared-%d", l.rng.IntN(12))
	}
	return &of
}

func (l *lives) withoutAccount(ev *usage.Event) *usage.Event {
	of := *ev
	if of.UserID != "" && l.rng.IntN(20) == 0 {
		of.UserID = fmt.Sprintf("nobody-%d", l.rng.IntN(8)) // no event names an account of theirs
	}
	if of.UserID != "" {
		of.AccountID = ""
	}
	return &of
}

// feedback is what sales says about an event's account.
func (l *lives) feedback(ev *usage.Event) *usage.Event {
	names := []string{"lead_accepted", "lead_rejected", "meeting_booked", "deal_won", "deal_lost"}
	return l.event(ev, names[l.rng.IntN(len(names))], "", property("why", "no budget"))
}

// told tells the account's plan or size, or that its trial is cancelled.
func (l *lives) told(ev *usage.Event) *usage.Event {
	plan := l.plan()
	switch l.rng.IntN(3) {
	case 0:
		return l.event(ev, "trial_cancelled", ev.UserID)
	case 1:
		return l.event(ev, "plan_changed", "", plan)
	}
	size := usage.Property{Key: "company_size", Value: usage.LongValue(l.rng.Int64N(800))}
	return l.event(ev, "account_traits", "", size, plan)
}

func (l *lives) plan() usage.Property {
	return property("plan", []string{"free", "team", "business"}[l.rng.IntN(3)])
}

// merge has an account that was there lately become part of the event's, and now and then both of each other.
func (l *lives) merge(ev *usage.Event) []*usage.Event {
	other := l.seen[l.rng.IntN(len(l.seen))]
	if other == nil || other.AccountID == "" || other.AccountID == ev.AccountID {
		return nil
	}
	into := l.event(ev, mergeEvent, "", property(mergedFrom, other.AccountID))
	l.asked = append(l.asked, into)
	all := []*usage.Event{into}
	if l.rng.IntN(3) == 0 {
		back := l.event(ev, mergeEvent, "", property(mergedFrom, ev.AccountID))
		back.AccountID = other.AccountID
		l.asked = append(l.asked, back)
		all = append(all, back)
	}
	return all
}

func (l *lives) request(ev *usage.Event, name, user string) *usage.Event {
	of := l.event(ev, name, user)
	l.asked = append(l.asked, of)
	return of
}

// repeat is a request of before once more.
func (l *lives) repeat(ev *usage.Event) *usage.Event {
	if len(l.asked) == 0 {
		return l.feedback(ev)
	}
	again := *l.asked[l.rng.IntN(len(l.asked))]
	return &again
}

// event is one that happens to the account of another, at the same time.
func (l *lives) event(ev *usage.Event, name, user string, properties ...usage.Property) *usage.Event {
	return &usage.Event{
		ID: fmt.Sprintf("%s-%d", strings.ReplaceAll(name, "_", "-"), l.n), AccountID: ev.AccountID, UserID: user, Name: name,
		OccurredAt: ev.OccurredAt, ReceivedAt: ev.ReceivedAt, Properties: properties,
	}
}

func property(key, value string) usage.Property {
	return usage.Property{Key: key, Value: usage.StringValue(value)}
}

// accountID is the id of one of the busiest accounts of the random stream.
func accountID(n int) string { return fmt.Sprintf("acct-%d", n) }
