package job

import (
	"encoding/binary"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"strconv"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

const (
	startMs = 1_748_822_400_000 // 2025-06-02T00:00:00Z
	spanMs  = 30 * 86_400_000
	lateMs  = 5 * 60_000
)

// End is after the last event of any stream, ms since the Unix epoch.
const End = startMs + spanMs

// names are in order of frequency, each with the weight 1/rank. About half of the events belong to no step.
var names = []string{"page_viewed", "session_started", "report_run", "feature_used", "storage_used", "project_updated",
	"invite_accepted", "comment_added", "created_project", "export_downloaded", "premium_viewed", "integration_connected"}

var cumulated = func() (c []float64) {
	sum := 0.0
	for rank := range names {
		sum += 1 / float64(rank+1)
		c = append(c, sum)
	}
	return c
}()

var properties = []struct {
	key    string
	values []string
}{
	{"plan", []string{"free", "trial", "starter", "team"}},
	{"source", []string{"web", "ios", "android", "api", "cli"}},
	{"region", []string{"eu-west-1", "us-east-1", "ap-south-1"}},
	{"browser", []string{"chrome-141", "firefox-143", "safari-26"}},
}

// Stream yields the job's events: sign-ups spread evenly over the first two thirds, older accounts busier, up to five
// minutes out of order. They are the same for the same arguments, and each is the receiver's own. With as many events as
// accounts, they are nothing but sign-ups.
func Stream(seed uint64, events, accounts int) iter.Seq[*usage.Event] {
	return newGenerator(seed, events, accounts).all
}

// Established yields events of accounts that have signed up before.
func Established(seed uint64, events, accounts int) iter.Seq[*usage.Event] {
	g := newGenerator(seed, events, accounts)
	g.signedUp = accounts
	return g.all
}

type generator struct {
	random           *rand.Rand
	events, accounts int
	made, signedUp   int
}

func newGenerator(seed uint64, events, accounts int) *generator {
	return &generator{random: rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15)), events: events, accounts: accounts}
}

func (g *generator) all(yield func(*usage.Event) bool) {
	for g.made < g.events {
		if !yield(g.next()) {
			return
		}
	}
}

func (g *generator) next() *usage.Event {
	e := &usage.Event{Quantity: 1}
	number := 0
	if g.signedUp < g.accounts && int64(g.made)*3*int64(g.accounts) >= int64(g.signedUp)*2*int64(g.events) {
		number = g.signedUp
		g.signedUp++
		e.Name = "signed_up"
		e.Properties = append(e.Properties, usage.Property{Key: "company_size", Value: usage.StringValue(strconv.Itoa(companySize(number)))})
	} else {
		u := g.random.Float64()
		number = int(float64(g.signedUp) * u * math.Sqrt(u))
		e.Name = g.name()
		if e.Name == "storage_used" {
			e.Quantity = float64(g.random.IntN(240)) / 4 // quarters: sums are exact
		}
	}
	e.AccountID = fmt.Sprintf("acct-%06d", number)
	e.UserID = fmt.Sprintf("user-%06d-%d", number, g.random.IntN(2+companySize(number)%8))
	e.OccurredAt = max(startMs+int64(g.made)*spanMs/int64(g.events)-g.random.Int64N(lateMs), startMs)
	for _, p := range properties[:g.random.IntN(len(properties)+1-len(e.Properties))] {
		e.Properties = append(e.Properties, usage.Property{Key: p.key, Value: usage.StringValue(p.values[g.random.IntN(len(p.values))])})
	}
	e.ID = g.id()
	g.made++
	return e
}

func (g *generator) name() string {
	x, rank := g.random.Float64()*cumulated[len(cumulated)-1], 0
	for cumulated[rank] < x {
		rank++
	}
	return names[rank]
}

func (g *generator) id() string {
	var id [16]byte
	binary.LittleEndian.PutUint64(id[:], g.random.Uint64())
	binary.LittleEndian.PutUint64(id[8:], g.random.Uint64())
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}

// companySize gives 70 % small, 25 % medium and 5 % large companies, by a hash of the account's number.
func companySize(number int) int {
	h := uint64(number+1) * 0x9e3779b97f4a7c15
	h ^= h >> 29
	h *= 0xbf58476d1ce4e5b9
	h ^= h >> 32
	switch percent, rest := h%100, int(h>>40); {
	case percent < 70:
		return 1 + rest%49
	case percent < 95:
		return 50 + rest%450
	default:
		return 500 + rest%9500
	}
}
