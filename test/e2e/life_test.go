package e2e

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/usage"
	"github.com/pqlstream/pqlstream/test/oracle"
)

const lifeFile = "../testdata/life.yaml"

// bench folds what accounts are told and what they send one another, without anything around them.
type bench struct {
	t      *testing.T
	engine *account.Engine
	folder *account.Folder
	judge  *oracle.Oracle
	states map[string]*account.State
	facts  []oracle.Fact
	way    []*account.Message // sent, and not answered yet
	newest int64
	offset int64
}

// at is a source of events that all lie at one position.
type at account.Position

func (a at) Position() account.Position { return account.Position(a) }
func (a at) Watermark() int64           { return 0 }

var asked = map[account.Asks]string{
	account.ToFold: "event", account.ToMerge: "merge", account.ToAbsorb: "absorb", account.ToErase: "erase-account", account.ToEraseUser: "erase-user",
}

// answer has an account and the oracle answer a message.
func (b *bench) answer(m *account.Message) {
	b.offset++
	s := b.states[m.To]
	if s == nil {
		s = b.engine.New(m.To, b.offset)
	}
	m.Watermark = b.newest - 300_000
	b.pass(s, m.Watermark)
	c := &oracle.Control{
		Kind: asked[m.Asks], To: m.To, Other: m.Other, User: m.User, At: m.At, EventID: m.EventID, EventName: m.EventName,
		Visited: m.Via.Visited, Canonical: m.Via.Canonical, Offset: b.offset, Source: oracle.Position(m.Position),
	}
	if m.Asks == account.ToFold {
		c.Event, c.Source = m.Event, oracle.Position(m.Source.Position())
	}
	require.True(b.t, b.judge.Take(c), "%+v was never sent", c)
	done, err := b.folder.Answer(s, m)
	require.NoError(b.t, err)
	b.took(s, done.Changed, done.Facts)
	if done.Send != nil {
		b.way = append(b.way, done.Send)
	}
}

// deliver has one of the messages answered that accounts have sent one another: of different accounts any may be the next.
func (b *bench) deliver(rng *rand.Rand) {
	to := b.way[rng.IntN(len(b.way))].To
	i := slices.IndexFunc(b.way, func(m *account.Message) bool { return m.To == to })
	m := b.way[i]
	b.way = slices.Delete(b.way, i, i+1)
	b.answer(m)
}

func (b *bench) pass(s *account.State, watermark int64) {
	if due := s.NextTimer(); due > 0 && due <= watermark {
		changed, facts := b.folder.Pass(s, watermark)
		b.took(s, changed, facts)
	}
}

func (b *bench) took(s *account.State, changed bool, facts []account.Fact) {
	if changed {
		b.states[s.AccountID()] = s
	}
	for i := range facts {
		b.facts = append(b.facts, plainFact(&facts[i]))
	}
}

// message is what ingest makes of an event.
func (b *bench) message(ev *usage.Event, position account.Position) *account.Message {
	c := account.Control{At: ev.OccurredAt, EventID: ev.ID, EventName: ev.Name, Position: position}
	switch ev.Name {
	case mergeEvent:
		return &account.Message{Asks: account.ToMerge, To: ev.Property(mergedFrom).Str(), Other: ev.AccountID, Control: c}
	case eraseAccountEvent:
		return &account.Message{Asks: account.ToErase, To: ev.AccountID, Expires: 1 << 60, Control: c}
	case eraseUserEvent:
		return &account.Message{Asks: account.ToEraseUser, To: ev.AccountID, User: ev.UserID, Control: c}
	}
	return &account.Message{To: ev.AccountID, Event: ev, Listener: b.engine.Checklist().Listener(ev.Name), Source: at(position)}
}

// TestEngineAgreesWithOracleOverWholeLives compares the rules alone, of time, merges and erasures, too: where it fails, the
// others that follow whole lives do.
func TestEngineAgreesWithOracleOverWholeLives(t *testing.T) {
	all := map[string]int{}
	for seed := range lifeSeeds {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			b := &bench{t: t, engine: newEngine(t, lifeFile), judge: oracle.OfLife(), states: map[string]*account.State{}}
			b.folder = b.engine.Folder()
			b.run(seed)
			b.compare()
			countLife(all, b.judge)
		})
	}
	requireLife(t, all, lifeFacts)
}

// run has the events answered in their order, and what accounts send one another at some time.
func (b *bench) run(seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 21))
	n := int64(0)
	for ev := range livesOf(seed, 20_000, 700) {
		n++
		b.newest = max(b.newest, ev.OccurredAt)
		b.judge.Observe(0, ev.OccurredAt)
		m := b.message(ev, account.Position{Topic: "usage", Offset: n})
		if m.To != "" && (m.Asks != account.ToFold || m.Listener != nil) {
			b.answer(m)
		}
		for len(b.way) > 0 && rng.IntN(len(b.way)+1) > 0 {
			b.deliver(rng)
		}
	}
	for len(b.way) > 0 {
		b.deliver(rng)
	}
	for _, s := range b.states {
		b.pass(s, b.newest-300_000)
	}
	b.judge.Settle()
}

func (b *bench) compare() {
	require.Empty(b.t, b.judge.Unread())
	requireFacts(b.t, "facts", b.judge.Facts, b.facts)
	accounts := b.judge.Accounts(b.newest)
	require.Len(b.t, b.states, len(accounts))
	for id, want := range accounts {
		v := b.engine.View(b.states[id], b.newest)
		requireState(b.t, want, &v)
	}
}

// lifeTypes are what happens in a whole life, by type and cause.
var lifeTypes = []string{
	"signed_up", "active", "step_done", "step_undone", "qualified", "requalified", "escalated", "converted", "churned", "near_miss",
	"excluded", "included", "segment_changed", "sales_accepted", "sales_rejected", "meeting_booked", "sales_won", "sales_lost",
	"merged", "absorbed", "erased", "user_erased", "disqualified",
	"by event", "by timer", "by merge", "by erasure", "step_done by merge", "qualified by merge", "late", "partly erased",
}

// lifeFacts are the same with the reasons that there are.
var lifeFacts = append([]string{
	"qualified tier_changed", "disqualified excluded", "disqualified step_undone", "disqualified tier_changed", "disqualified inactive",
	"disqualified trial_ended", "disqualified merged", "disqualified erased",
}, lifeTypes...)

func countLife(n map[string]int, judge *oracle.Oracle) {
	for _, f := range judge.Facts {
		n[f.Type]++
		n["by "+f.Cause]++
		n[f.Type+" by "+f.Cause]++
		if f.Reason != "" {
			n[f.Type+" "+f.Reason]++
		}
		if f.Late {
			n["late"]++
		}
		if f.PartlyErased {
			n["partly erased"]++
		}
	}
}

// requireLife makes sure that everything has happened.
func requireLife(t *testing.T, n map[string]int, all []string) {
	t.Helper()
	for _, what := range all {
		require.Positive(t, n[what], "nothing was %s: %v", what, n)
	}
}
