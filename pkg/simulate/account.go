package simulate

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

// account is one company of the sample data while its days are made. It draws from a source of its own, so that what
// it does depends neither on how many accounts there are nor on the others.
type account struct {
	rng       *rand.Rand
	ids       ids
	id        string
	domain    string
	industry  string
	employees int
	team      int // how many people may come to use the product
	behaviour *behaviour
	test      bool  // an account of the vendor's own people
	zone      int64 // ms from UTC
	signUp    int64 // ms since the Unix epoch

	users      []string  // the first is who signed up
	invited    int       // users and open invitations
	joining    []joining // invitations that will be accepted
	projects   int
	upgradeAt  int64 // when the last click on "upgrade" was; 0: never
	subscribed string
	cancelled  bool

	out []*usage.Event // of the day
}

// joining is somebody who was invited and will accept.
type joining struct {
	user string
	at   int64
}

func newAccount(o Options, number int) *account {
	rng := rand.New(rand.NewPCG(o.Seed, uint64(number)+1))
	s, b := pickSize(rng), pickBehaviour(rng)
	a := &account{
		rng:       rng,
		ids:       ids{rng},
		id:        fmt.Sprintf("acct-%05d", number+1),
		industry:  pick(rng, industries),
		employees: s.from + rng.IntN(s.to-s.from),
		team:      s.team,
		behaviour: b,
		test:      rng.Float64() < 0.01,
		zone:      pick(rng, zones) * hourMs,
	}
	a.domain = fmt.Sprintf("%s%s-%d.example", pick(rng, nameFirst), pick(rng, nameSecond), number+1)
	if a.test {
		a.domain = "ourcompany.example"
	}
	a.users, a.invited = []string{a.user(0)}, 1
	a.signUp = a.signUpTime(o)
	return a
}

// signUpTime draws a moment in office hours.
func (a *account) signUpTime(o Options) int64 {
	day := o.Epoch.UnixMilli() + int64(a.rng.Float64()*float64(o.Days))*dayMs
	if a.rng.Float64() > weekday[weekdayOf(day)] {
		day += 2 * dayMs // few sign up at a weekend
	}
	last := o.Epoch.UnixMilli() + int64(o.Days-1)*dayMs
	return min(day, last) + a.officeTime()
}

// officeTime draws a time of the UTC day, ms after midnight, that is around noon in the account's own zone.
func (a *account) officeTime() int64 {
	local := 8*hourMs + a.rng.Int64N(5*hourMs) + a.rng.Int64N(5*hourMs)
	return (local - a.zone + dayMs) % dayMs
}

func (a *account) user(n int) string { return fmt.Sprintf("%s-u%02d", a.id, n+1) }

// appendDay appends what happens on the account's day that begins, in UTC, at a moment.
func (a *account) appendDay(out []*usage.Event, begin int64) []*usage.Event {
	end := begin + dayMs
	if a.signUp >= end {
		return out
	}
	a.out = out
	if a.signUp >= begin {
		a.onboard()
	} else {
		a.work(begin)
	}
	a.join(end)
	return a.out
}

// onboard is the sign-up and the look around that follows it.
func (a *account) onboard() {
	props := []usage.Property{
		{Key: "company_size", Value: usage.LongValue(int64(a.employees))},
		{Key: "plan", Value: usage.StringValue("free")},
		{Key: "domain", Value: usage.StringValue(a.domain)},
		{Key: "industry", Value: usage.StringValue(a.industry)},
	}
	if a.test {
		props = append(props, usage.Property{Key: "is_test", Value: usage.BoolValue(true)})
	}
	a.emit(a.users[0], "account_created", a.signUp, 0, props...)
	a.session(a.users[0], a.signUp+20*secondMs)
}

// work lets each of the account's people come in or not.
func (a *account) work(begin int64) {
	age := float64(begin-a.signUp) / float64(dayMs)
	likely := a.behaviour.activity(age) * weekday[weekdayOf(begin)]
	for i, user := range a.users {
		p := likely
		if i > 0 {
			p *= 0.7
			if a.behaviour.single {
				p *= 0.15
			}
		}
		for at := a.officeTime(); a.rng.Float64() < p; p /= 3 {
			a.session(user, max(begin+at, a.signUp+hourMs))
			at += hourMs + a.rng.Int64N(2*hourMs)
		}
	}
	a.reconsider(begin, likely)
}

// join lets those accept who were invited and have made up their mind by the end of the day. Who has just joined may
// invite others, who join on the same day.
func (a *account) join(end int64) {
	for i := 0; i < len(a.joining); {
		j := a.joining[i]
		if j.at >= end {
			i++
			continue
		}
		a.joining = slices.Delete(a.joining, i, i+1)
		a.users = append(a.users, j.user)
		a.emit(j.user, "invite_accepted", j.at, 0, text("role", pick(a.rng, []string{"member", "member", "admin", "viewer"})))
		a.session(j.user, j.at+30*secondMs)
	}
}

// reconsider is what happens to the subscription: some who clicked on "upgrade" buy a day or more later, some who have
// lost interest cancel.
func (a *account) reconsider(begin int64, likely float64) {
	at := begin + a.officeTime()
	switch {
	case a.subscribed == "" && a.upgradeAt != 0 && at > a.upgradeAt+hourMs:
		if a.rng.Float64() < a.behaviour.buys {
			a.subscribe(at)
		}
		a.upgradeAt = 0
	case a.subscribed != "" && !a.cancelled && a.behaviour.cancels && likely > 0 && likely < 0.1 && a.rng.Float64() < 0.25:
		a.cancelled = true
		a.emit(a.users[0], "subscription_cancelled", at, 0, text("plan", a.subscribed))
	}
}

func (a *account) subscribe(at int64) {
	plan := 0
	if a.employees >= 50 {
		plan = 1
	}
	if a.employees >= 500 {
		plan = 2
	}
	a.subscribed = plans[plan]
	seats := int64(len(a.users))
	a.emit(a.users[0], "subscription_started", at, 0,
		text("plan", a.subscribed),
		usage.Property{Key: "seats", Value: usage.LongValue(seats)},
		usage.Property{Key: "yearly", Value: usage.BoolValue(a.rng.Float64() < 0.4)},
		usage.Property{Key: "monthly_price", Value: usage.DoubleValue(float64(seats) * []float64{9.5, 14.5, 24.5}[plan])},
	)
}

// emit adds an event, perhaps twice, and lets it arrive soon after or much later.
func (a *account) emit(user, name string, at int64, quantity float64, props ...usage.Property) {
	source := "app"
	switch name {
	case "subscription_started", "subscription_cancelled":
		source = "billing"
	case "storage_used", "integration_connected":
		source = "backend"
	}
	e := &usage.Event{
		ID: a.ids.next(), AccountID: a.id, UserID: user, Name: name, OccurredAt: at,
		Properties: props, Quantity: quantity, Source: source,
	}
	e.ReceivedAt = at + a.delay()
	a.out = append(a.out, e)
	if a.rng.Float64() < 0.01 {
		again := *e
		again.ReceivedAt = at + a.delay()
		a.out = append(a.out, &again)
	}
}

// delay draws how long an event is under way, in ms: mostly below a second, for 2 % (a phone out of reach, a retry) up
// to Disorder.
func (a *account) delay() int64 {
	if a.rng.Float64() < 0.02 {
		return a.rng.Int64N(Disorder.Milliseconds())
	}
	return 20 + a.rng.Int64N(800)
}

func weekdayOf(ms int64) time.Weekday { return time.UnixMilli(ms).UTC().Weekday() }

func pick[T any](rng *rand.Rand, from []T) T { return from[rng.IntN(len(from))] }

func pickSize(rng *rand.Rand) *size {
	n := rng.IntN(100)
	for i := range sizes {
		if n -= sizes[i].share; n < 0 {
			return &sizes[i]
		}
	}
	return &sizes[len(sizes)-1]
}

func pickBehaviour(rng *rand.Rand) *behaviour {
	n := rng.IntN(100)
	for i := range behaviours {
		if n -= behaviours[i].share; n < 0 {
			return &behaviours[i]
		}
	}
	return &behaviours[len(behaviours)-1]
}

func text(key, value string) usage.Property {
	return usage.Property{Key: key, Value: usage.StringValue(value)}
}
