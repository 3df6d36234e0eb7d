package simulate

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"strings"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

// Random yields exactly so many events of so many accounts, made to exercise every rule rather than to be believable:
// a few accounts get most of the events; arrival comes in bursts over about 30 days from DefaultEpoch, up to Disorder
// after event time and in random order; repeats with the same id; events without an id or a user; names that no
// checklist knows; properties of all types, one of them of changing type; ids that are long or not ASCII; accounts that
// sign up after their first events, without a company size, or never. Quantities are quarters, so that sums are exact.
//
// Each event is the receiver's own. The same arguments give the same events.
func Random(seed uint64, events, accounts int) iter.Seq[*usage.Event] {
	return func(yield func(*usage.Event) bool) {
		if accounts < 1 {
			return
		}
		g := newRandomStream(seed, events, accounts)
		for range events {
			if !yield(g.next()) {
				return
			}
		}
	}
}

const (
	randomSpan = 30 * dayMs
	burst      = 10 // events in a burst, on average
)

// weighted is an event's name and how often it is drawn.
type weighted struct {
	name   string
	weight int
}

var randomNames = []weighted{
	{"page_viewed", 20}, {"session_started", 18}, {"report_run", 14}, {"storage_used", 12}, {"invite_accepted", 9},
	{"invite_sent", 6}, {"project_created", 5}, {"premium_viewed", 4}, {"upgrade_clicked", 2}, {"integration_connected", 3},
	{"subscription_started", 1}, {"subscription_cancelled", 1}, {"unknown_event", 4}, {"événement inconnu", 1},
}

// deck has each name as often as its weight says.
var deck = func() (names []string) {
	for _, w := range randomNames {
		for range w.weight {
			names = append(names, w.name)
		}
	}
	return names
}()

// randomStream is where a random stream stands.
type randomStream struct {
	rng      *rand.Rand
	ids      ids
	accounts []randomAccount
	at       int64 // arrival of the newest event
	pause    int64 // ms between bursts, on average
	recent   [32]*usage.Event
	n        int
}

type randomAccount struct {
	id     string
	users  []string
	signed bool // has signed up, or never will
}

func newRandomStream(seed uint64, events, accounts int) *randomStream {
	rng := rand.New(rand.NewPCG(seed, 0x51_5e_a5_0f))
	g := &randomStream{
		rng: rng, ids: ids{rng}, accounts: make([]randomAccount, accounts),
		at: DefaultEpoch.UnixMilli() + Disorder.Milliseconds(), pause: randomSpan * burst / int64(max(events, burst)),
	}
	for i := range g.accounts {
		a := &g.accounts[i]
		a.id, a.signed = randomAccountID(i), i%17 == 16
		for u := range 1 + rng.IntN(7) {
			a.users = append(a.users, fmt.Sprintf("user-%d-%d", i, u))
		}
	}
	return g
}

// randomAccountID returns an account's id: a short one, one that is not ASCII, or one of 256 bytes.
func randomAccountID(i int) string {
	switch i % 29 {
	case 5:
		return fmt.Sprintf("società 日本 %d", i)
	case 7:
		id := fmt.Sprintf("long-%d-", i)
		return id + strings.Repeat("x", 256-len(id))
	}
	return fmt.Sprintf("acct-%d", i)
}

func (g *randomStream) next() *usage.Event {
	g.tick()
	e := g.repeat()
	if e == nil {
		e = g.fresh()
	}
	e.ReceivedAt = g.at
	g.recent[g.n%len(g.recent)] = e
	g.n++
	return e
}

// tick moves on to the next arrival.
func (g *randomStream) tick() {
	gap := g.rng.Int64N(2 * secondMs)
	if g.rng.IntN(burst) == 0 {
		gap += g.rng.Int64N(2*g.pause + 1)
	}
	g.at += gap
}

// repeat returns a recent event once more, now and then, unless it would arrive late.
func (g *randomStream) repeat() *usage.Event {
	if g.rng.IntN(25) != 0 {
		return nil
	}
	of := g.recent[g.rng.IntN(len(g.recent))]
	if of == nil || g.at-of.OccurredAt >= Disorder.Milliseconds() {
		return nil
	}
	again := *of
	return &again
}

func (g *randomStream) fresh() *usage.Event {
	rng := g.rng
	// The square makes the first accounts the busiest.
	u := rng.Float64()
	a := &g.accounts[int(u*u*float64(len(g.accounts)))]
	e := &usage.Event{
		AccountID:  a.id,
		UserID:     pick(rng, a.users),
		Name:       pick(rng, deck),
		OccurredAt: g.at - rng.Int64N(Disorder.Milliseconds()),
		Source:     pick(rng, []string{"", "app", "backend"}),
	}
	if rng.IntN(50) != 0 {
		e.ID = g.ids.next()
	}
	if rng.IntN(33) == 0 {
		e.UserID = ""
	}
	if e.Name == "storage_used" {
		e.Quantity = float64(rng.IntN(60)) / 4
	}
	e.Properties = g.properties()
	if !a.signed && rng.IntN(6) == 0 {
		a.signed = true
		g.signUp(e)
	}
	return e
}

// signUp turns an event into a sign-up, one in ten without a company size.
func (g *randomStream) signUp(e *usage.Event) {
	e.Name, e.Quantity = "account_created", 0
	if g.rng.IntN(10) == 0 {
		return
	}
	s := pickSize(g.rng)
	employees := usage.LongValue(int64(s.from + g.rng.IntN(s.to-s.from)))
	e.Properties = append(e.Properties, usage.Property{Key: "company_size", Value: employees},
		text("domain", pick(g.rng, []string{"ourcompany.example", "one.example", "two.example", "three.example"})),
		text("industry", pick(g.rng, industries)))
}

// properties draws some of the properties, each with a distinct key.
func (g *randomStream) properties() []usage.Property {
	rng := g.rng
	var ps []usage.Property
	for mask := rng.IntN(64) & rng.IntN(64); mask != 0; mask &= mask - 1 {
		switch mask & -mask {
		case 1:
			ps = append(ps, text("plan", pick(rng, append([]string{"free"}, plans...))))
		case 2:
			ps = append(ps, usage.Property{Key: "seats", Value: usage.LongValue(rng.Int64N(1000) - 10)})
		case 4:
			ps = append(ps, usage.Property{Key: "amount", Value: usage.DoubleValue(float64(rng.IntN(1000)) / 8)})
		case 8:
			ps = append(ps, usage.Property{Key: "beta", Value: usage.BoolValue(rng.IntN(2) == 0)})
		case 16:
			ps = append(ps, text("note", strings.Repeat("ü\"\n", rng.IntN(40))))
		case 32:
			ps = append(ps, usage.Property{Key: "mixed", Value: g.anyValue()})
		}
	}
	return ps
}

func (g *randomStream) anyValue() usage.Value {
	switch g.rng.IntN(5) {
	case 1:
		return usage.BoolValue(true)
	case 2:
		return usage.LongValue(g.rng.Int64())
	case 3:
		return usage.DoubleValue(g.rng.NormFloat64())
	case 4:
		return usage.StringValue("text")
	}
	return usage.Value{}
}
