package account_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

const partly = `
version: 1
name: partly
inactivity: {days: 0}
signup: {event: signed_up}
tiers: [{name: all, threshold: 0.5}]
steps:
  - {id: many, kind: count, event: c, at_least: 1000}
  - {id: a, kind: event, event: a}
`

// partition is accounts whose messages lie in one log, which they answer one after the other.
type partition struct {
	accounts map[string]*account.State
	log      []*account.Message
	at       int
}

// deployment is accounts in several partitions, of which any may be ahead of the others.
type deployment struct {
	t          *testing.T
	engine     *account.Engine
	folder     *account.Folder
	partitions []*partition
	facts      []account.Fact
	lost       []error
}

func deploy(t *testing.T, definition string, partitions int) *deployment {
	d := &deployment{t: t, engine: engine(t, definition)}
	d.folder = d.engine.Folder()
	for range partitions {
		d.partitions = append(d.partitions, &partition{accounts: map[string]*account.State{}})
	}
	return d
}

func (d *deployment) of(id string) *partition {
	return d.partitions[int(id[len(id)-1])%len(d.partitions)]
}

func (d *deployment) send(m *account.Message) { p := d.of(m.To); p.log = append(p.log, m) }

func (d *deployment) event(to, name string, n int) {
	ev := &usage.Event{ID: fmt.Sprint("e", n), AccountID: to, Name: name, OccurredAt: int64(n) * 1000}
	d.send(&account.Message{To: to, Event: ev, Listener: d.engine.Checklist().Listener(name), Source: &at{position: account.Position{Topic: "t", Offset: int64(n)}}})
}

func (d *deployment) merge(from, into string, n int) {
	d.send(&account.Message{Asks: account.ToMerge, To: from, Other: into, Control: account.Control{At: int64(n) * 1000, EventID: fmt.Sprint("m", n)}})
}

// step lets a partition answer its next message.
func (d *deployment) step(p *partition) {
	m := p.log[p.at]
	p.at++
	s := p.accounts[m.To]
	if s == nil {
		s = d.engine.New(m.To, int64(p.at))
	}
	a, err := d.folder.Answer(s, m)
	if err != nil {
		d.lost = append(d.lost, err)
		return
	}
	if a.Changed {
		encoded, err := s.AppendBinary(nil)
		require.NoError(d.t, err)
		p.accounts[m.To], err = d.engine.Load(m.To, encoded)
		require.NoError(d.t, err)
	}
	d.facts = append(d.facts, a.Facts...)
	if a.Send != nil {
		d.send(a.Send)
	}
}

// any lets a partition answer, whichever, and says whether there was one with a message left.
func (d *deployment) any(r *rand.Rand) bool {
	var busy []*partition
	for _, p := range d.partitions {
		if p.at < len(p.log) {
			busy = append(busy, p)
		}
	}
	if len(busy) > 0 {
		d.step(busy[r.IntN(len(busy))])
	}
	return len(busy) > 0
}

// run lets partitions answer, at random, until there is nothing left.
func (d *deployment) run(r *rand.Rand) {
	for range 10_000 {
		if !d.any(r) {
			return
		}
	}
	require.Fail(d.t, "messages go round for ever")
}

// end is the account that an id leads to.
func (d *deployment) end(id string) string {
	for range 10 {
		s := d.of(id).accounts[id]
		if s == nil || s.Alias() == "" {
			break
		}
		id = s.Alias()
	}
	return id
}

func (d *deployment) counted(id, step string) float64 {
	s := d.of(id).accounts[id]
	if s == nil || s.Alias() != "" {
		return 0
	}
	v := d.engine.View(s, 0)
	for _, m := range v.StepsMissing {
		if m.Step == step {
			return math.Round(m.Progress * 1000)
		}
	}
	return 0
}

// Whatever is merged into whatever and whichever partition is ahead: each event counts once, in one account.
func TestMergesLoseNothingAndDoubleNothing(t *testing.T) {
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 6))
		d := deploy(t, partly, 3)
		ids := []string{"a0", "b1", "c2", "d3", "e4"}[:2+r.IntN(4)]
		events, class := 0, map[string]string{}
		whole := func(id string) string {
			for class[id] != "" {
				id = class[id]
			}
			return id
		}
		for n := range 60 {
			if r.IntN(8) == 0 {
				from, into := ids[r.IntN(len(ids))], ids[r.IntN(len(ids))]
				if d.merge(from, into, n); whole(from) != whole(into) {
					class[whole(from)] = whole(into)
				}
			} else {
				d.event(ids[r.IntN(len(ids))], "c", n)
				events++
			}
			for r.IntN(3) > 0 && d.any(r) { // the rest is on its way
			}
		}
		d.run(r)
		for i, id := range ids { // accounts that are each other's part find out with what reaches them
			d.event(id, "c", 1000+i)
			events++
		}
		d.run(r)
		require.Empty(t, d.lost)
		total := 0.0
		for _, id := range ids {
			total += d.counted(id, "many")
		}
		require.InDelta(t, events, total, 0, "seed %d", seed)
		for _, id := range ids {
			require.Equal(t, d.end(whole(id)), d.end(id), "seed %d: what was merged is one account", seed)
		}
		unique(t, d.facts)
	}
}

// unique checks that no id of a fact comes twice.
func unique(t *testing.T, facts []account.Fact) {
	t.Helper()
	seen := map[string]bool{}
	for i := range facts {
		require.False(t, seen[facts[i].ID], "%s of %s comes twice", facts[i].Type, facts[i].AccountID)
		seen[facts[i].ID] = true
	}
}

// Account a is merged into b and b into a, at the same time.
func TestAttack20MergedIntoEachOther(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 20))
		d := deploy(t, partly, 2)
		d.event("a0", "c", 1)
		d.event("b1", "c", 2)
		d.run(r)
		d.merge("a0", "b1", 3)
		d.merge("b1", "a0", 4)
		d.event("a0", "c", 5)
		d.event("b1", "c", 6)
		d.run(r)
		require.InDelta(t, 4, d.counted("a0", "many"), 0, "seed %d", seed)
		require.Equal(t, "a0", d.of("b1").accounts["b1"].Alias())
		d.event("b1", "c", 7)
		d.run(r)
		require.InDelta(t, 5, d.counted("a0", "many"), 0)
	}
}

func TestWhatConcernsAnAliasFollowsIt(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	d := deploy(t, partly, 2)
	d.event("b1", "c", 1)
	d.merge("b1", "a0", 2)
	d.event("b1", "a", 3)
	d.run(r)
	var came []account.Type
	for i := range d.facts {
		came = append(came, d.facts[i].Type)
	}
	assert.Equal(t, []account.Type{account.Active, account.Merged, account.Absorbed, account.Active, account.StepDone, account.Qualified}, came)

	d.facts = nil
	d.send(&account.Message{Asks: account.ToErase, To: "b1", Expires: 1 << 40, Control: account.Control{At: 9000}})
	d.run(r)
	assert.Zero(t, d.counted("a0", "many"), "what was merged is one account")
	erased := slices.DeleteFunc(slices.Clone(d.facts), func(f account.Fact) bool { return f.Type != account.Erased })
	assert.Len(t, erased, 2)
	d.event("b1", "c", 10)
	d.run(r)
	assert.InDelta(t, 1, d.counted("b1", "many"), 0, "it begins anew, by itself")
	unique(t, d.facts)
}

// What concerns the whole takes the shorter way: the request to erase it is there before what was sent off by a part.
func TestWhatAnErasureHasOvertakenStaysErased(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	d := deploy(t, partly, 1)
	d.event("part", "a", 1)
	d.event("part", "c", 2)
	d.run(r)
	d.merge("part", "whole", 3)
	d.event("part", "c", 4)
	erase := &account.Message{Asks: account.ToErase, To: "whole", Expires: 1 << 40, Control: account.Control{At: 5000}}
	d.send(erase)
	d.run(r)
	assert.True(t, d.of("whole").accounts["whole"].Expired(1<<60), "it is a stub")

	d.merge("other", "whole", 6) // of whom nothing is known
	d.event("part", "c", 3)      // late
	d.run(r)
	assert.True(t, d.of("whole").accounts["whole"].Expired(1<<60))
	d.event("whole", "c", 7)
	d.event("part", "c", 4) // late
	d.event("part", "c", 8)
	d.run(r)
	assert.InDelta(t, 2, d.counted("whole", "many"), 0, "what came later counts")
}

func TestMessagesThatAreWrongChangeNothing(t *testing.T) {
	d := deploy(t, partly, 1)
	s := d.engine.New("a0", 1)
	before, err := s.AppendBinary(nil)
	require.NoError(t, err)
	_, err = d.folder.Answer(s, &account.Message{Asks: account.ToAbsorb, To: "a0", Other: "b", Carried: []byte("rubbish")})
	require.ErrorContains(t, err, "merging account b into a0")
	after, err := s.AppendBinary(nil)
	require.NoError(t, err)
	assert.Equal(t, before, after)
}
