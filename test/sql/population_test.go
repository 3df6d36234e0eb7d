package sql_test

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

const (
	minute = int64(60_000)
	hour   = 60 * minute
	day    = 24 * hour
)

// company is somebody who uses the product. It draws from a source of its own.
type company struct {
	rng     *rand.Rand
	number  int
	id      string
	first   int     // day of the sign-up; those before the first day have not been seen
	lively  float64 // how much it does as it begins, and
	lasting float64 // days until that has halved
	plan    string
	country string
	size    int64
	events  int // it has had
}

// arrival is what reaches the accounts: an event, or what is asked for.
type arrival struct {
	at      int64
	to      int // company
	event   *usage.Event
	request *account.Message // without what the time decides
}

func newCompany(seed uint64, number, days int) *company {
	rng := rand.New(rand.NewPCG(seed, uint64(number)))
	c := &company{
		rng: rng, number: number, id: fmt.Sprintf("acct-%05d", number),
		first: rng.IntN(days+days/10) - days/10, lively: 0.15 + 1.4*rng.Float64()*rng.Float64(), lasting: 8 + 40*rng.Float64(),
		country: pick(rng, "de", "fr", "us", "us", "jp", ""),
	}
	c.size = c.drawSize()
	c.plan = c.drawPlan()
	return c
}

func pick[T any](rng *rand.Rand, from ...T) T { return from[rng.IntN(len(from))] }

func (c *company) drawSize() int64 { return int64(math.Exp(c.rng.Float64() * 8)) }

// drawPlan draws one of a few plans, or rarely one of many that nobody else has.
func (c *company) drawPlan() string {
	if c.rng.IntN(20) == 0 {
		return fmt.Sprintf("partner-%d, paid", c.rng.IntN(12))
	}
	return pick(c.rng, "free", "free", "team", "pro")
}

func (c *company) chance(p float64) bool { return c.rng.Float64() < p }

// live is what the company does on a day that begins at a moment.
func (c *company) live(date int, begin int64, arrive func(arrival)) {
	age := date - c.first
	if age < 0 {
		return
	}
	at := func() int64 { return begin + c.rng.Int64N(day) }
	do := func(name string, at int64, properties ...usage.Property) { c.do(name, at, arrive, properties...) }
	if age == 0 && !c.chance(0.04) {
		do("account_created", at(), long("company_size", c.size), text("plan", c.plan), text("country", c.country))
	}
	for p := c.lively * math.Exp2(-float64(age)/c.lasting); c.chance(p); p *= 0.7 {
		do(pick(c.rng, "session_started", "session_started", "session_started", "report_run", "report_run", "project_created", "data_imported",
			"invite_accepted", "premium_viewed"), at())
	}
	switch n := c.rng.IntN(4000); {
	case n < 12:
		do("company_enriched", at(), long("company_size", c.drawSize()), text("country", pick(c.rng, "de", "us", "es", "jp")))
	case n < 24:
		do("plan_changed", at(), text("plan", c.drawPlan()))
	case n < 26:
		told := at()
		do("account_marked", told, usage.Property{Key: "is_test", Value: usage.BoolValue(true)})
		if c.chance(0.6) {
			do("account_marked", told+c.rng.Int64N(40*day), usage.Property{Key: "is_test", Value: usage.BoolValue(false)})
		}
	case n < 28:
		c.lively, c.first = c.lively+0.5, date-1 // it comes back
	case n < 30:
		do("subscription_started", at())
	}
	c.ask(at(), arrive)
}

// ask has accounts merged and erased now and then.
func (c *company) ask(at int64, arrive func(arrival)) {
	request := &account.Message{To: c.id, Control: account.Control{At: at}}
	switch n := c.rng.IntN(20_000); {
	case n < 5:
		request.Asks, request.Other = account.ToMerge, fmt.Sprintf("acct-%05d", c.rng.IntN(c.number+1))
	case n < 9:
		request.Asks = account.ToErase
	case n < 12:
		request.Asks, request.User = account.ToEraseUser, c.user(0)
	default:
		return
	}
	arrive(arrival{at + c.delay(), c.number, nil, request})
}

func (c *company) user(n int) string { return fmt.Sprintf("%s-u%d", c.id, n) }

// do makes an event, mostly told soon, and sometimes twice.
func (c *company) do(name string, at int64, arrive func(arrival), properties ...usage.Property) {
	c.events++
	e := &usage.Event{
		ID: fmt.Sprintf("%s-%d", c.id, c.events), AccountID: c.id, UserID: c.user(c.rng.IntN(1 + c.number%4)), Name: name, OccurredAt: at,
		Properties: properties,
	}
	for again := true; again; again = c.chance(0.02) {
		arrive(arrival{at + c.delay(), c.number, e, nil})
	}
}

// delay is how long something is under way: a second, some hours, or days, and then it is late.
func (c *company) delay() int64 {
	switch n := c.rng.IntN(100); {
	case n < 1:
		return c.rng.Int64N(6 * day)
	case n < 4:
		return c.rng.Int64N(5 * hour)
	}
	return 1 + c.rng.Int64N(2000)
}

// react is what follows from a fact: sales talks to those that it is told of, and some of those buy.
func (c *company) react(f *account.Fact, now int64, arrive func(arrival)) {
	after := func(days float64) int64 { return now + int64(c.rng.ExpFloat64()*days*float64(day)) }
	buys := 0.12
	switch f.Type {
	case account.Qualified, account.Requalified:
		if !f.HoldOut && c.chance(0.6) {
			buys = 0.3
			c.talk(after(2), arrive)
		}
		if c.chance(buys) {
			c.do("subscription_started", after(25), arrive)
		}
	case account.Converted:
		if c.chance(0.4) {
			c.do("subscription_cancelled", after(20), arrive)
			c.lively += 0.4
		}
	}
}

func (c *company) talk(at int64, arrive func(arrival)) {
	c.do("lead_updated", at, arrive, text("status", pick(c.rng, "accepted", "accepted", "rejected", "open")), text("because", "no budget"))
	if c.chance(0.5) {
		c.do("meeting_booked", at+c.rng.Int64N(5*day), arrive)
		c.do("deal_closed", at+c.rng.Int64N(30*day), arrive, usage.Property{Key: "won", Value: usage.BoolValue(c.chance(0.4))}, text("because", "price"))
	}
}

func text(key, value string) usage.Property {
	if value == "" {
		return usage.Property{Key: key}
	}
	return usage.Property{Key: key, Value: usage.StringValue(value)}
}

func long(key string, value int64) usage.Property {
	return usage.Property{Key: key, Value: usage.LongValue(value)}
}
