package account_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// closeTogether is a history's beginning, in which nothing is further from anything else than disorder may be: of that much
// every step knows all.
func (p *pace) closeTogether(r *rand.Rand) []usage.Event {
	for {
		events := p.history(r)
		end := slices.IndexFunc(events, func(ev usage.Event) bool { return ev.OccurredAt > events[0].OccurredAt+p.disorder })
		if end < 0 {
			return events
		}
		if end > 5 {
			return events[:end]
		}
	}
}

// easyEngine has a bar that little is enough for.
func (p *pace) easyEngine(t *testing.T, steps string) *account.Engine {
	easy := strings.Replace(orderHead, "threshold: 0.5", "threshold: 0.1", 1)
	return engine(t, easy+strings.NewReplacer("LONG", p.long, "SHORT", p.short, "SPAN", p.span).Replace(steps))
}

// whole is an account on its way, and what has become of it.
type whole struct {
	t      *testing.T
	folder *account.Folder
	state  *account.State
	done   map[string]bool
}

func newWhole(t *testing.T, e *account.Engine, id string) *whole {
	return &whole{t: t, folder: e.Folder(), state: e.New(id, 5), done: map[string]bool{}}
}

func (w *whole) take(facts []account.Fact) {
	for i := range facts {
		switch facts[i].Type {
		case account.StepDone:
			w.done[facts[i].Step] = true
		case account.StepUndone:
			delete(w.done, facts[i].Step)
		}
	}
}

func (w *whole) fold(events []usage.Event, watermark int64) {
	for i := range events {
		_, facts := w.folder.Apply(w.state, &events[i], account.Position{Topic: "usage", Offset: int64(i)}, watermark)
		w.take(facts)
	}
}

// later is what the account is as time passes.
func (w *whole) later(newest int64, p *pace) (all []string) {
	for _, moment := range []int64{-p.disorder, -p.disorder / 2, 0, 1, p.grid, p.disorder, 30 * hour, 100 * hour, 400 * 24 * hour} {
		_, facts := w.folder.Pass(w.state, newest+moment)
		w.take(facts)
		all = append(all, fmt.Sprint(w.state.Current(), " ", strings.Join(slices.Sorted(maps.Keys(w.done)), " ")))
	}
	return all
}

// TestMergingIsFoldingAll deals a history out to two accounts, merges them, and holds the result against one account that
// everything happened to.
func TestMergingIsFoldingAll(t *testing.T) {
	qualified, byMerge := 0, 0
	for _, p := range paces {
		for _, steps := range []string{stickySteps, liveSteps} {
			e := p.easyEngine(t, steps)
			for seed := range uint64(histories) {
				r := rand.New(rand.NewPCG(seed, 31))
				events := p.closeTogether(r)
				newest := slices.MaxFunc(events, func(a, b usage.Event) int { return int(a.OccurredAt - b.OccurredAt) }).OccurredAt
				watermark := newest - p.disorder
				var of [2][]usage.Event
				dealt := map[string]int{}
				for _, ev := range events {
					if _, known := dealt[ev.ID]; !known {
						dealt[ev.ID] = r.IntN(2)
					}
					of[dealt[ev.ID]] = append(of[dealt[ev.ID]], ev)
				}
				one, a, b := newWhole(t, e, "acme"), newWhole(t, e, "acme"), newWhole(t, e, "other")
				one.fold(events, watermark)
				a.fold(of[0], watermark)
				b.fold(of[1], watermark)
				c := &account.Control{At: newest, EventID: "merge", Watermark: watermark}
				if carried, _ := b.folder.Merge(b.state, "acme", c); carried != nil {
					facts, err := a.folder.Absorb(a.state, "other", carried, c)
					require.NoError(t, err)
					a.take(facts)
					for _, f := range facts {
						require.Equal(t, account.ByMerge, f.Cause)
						if f.Type == account.Qualified {
							byMerge++
						}
					}
				}
				require.Equal(t, slices.Sorted(maps.Keys(one.done)), slices.Sorted(maps.Keys(a.done)), "seed %d at %v", seed, p)
				mine, merged := e.View(one.state, newest), e.View(a.state, newest)
				require.InDelta(t, mine.Rate, merged.Rate, 1e-9)
				require.Equal(t, mine.Current, merged.Current)
				require.Equal(t, mine.SignedUpAt, merged.SignedUpAt)
				require.Equal(t, userRates(&mine), userRates(&merged))
				if mine.Current {
					qualified++
				}
				a.state = reload(t, e, a.state)
				require.Equal(t, one.later(newest, &p), a.later(newest, &p), "seed %d at %v", seed, p)
			}
		}
	}
	assert.Greater(t, qualified, 20)
	assert.Greater(t, byMerge, 10, "the merge made hardly any account a PQL: the test shows little")
}

// userRates are the users' own rates, of those that are named.
func userRates(v *account.View) map[string]string {
	rates := map[string]string{}
	for _, u := range v.Users {
		rates[u.ID] = fmt.Sprintf("%d %.6f %d", u.Events, u.Rate, u.LastSeen)
	}
	return rates
}

// TestAnErasedUserIsNowhere in what is kept and in what is told from then on, whatever the user has done.
func TestAnErasedUserIsNowhere(t *testing.T) {
	e := engine(t, everything)
	partly := 0
	for seed := range uint64(3 * lives) {
		r := rand.New(rand.NewPCG(seed, 17))
		user := "user-3"
		if seed%2 == 0 {
			user = strings.Repeat("somebody with a long name ", 4)
		}
		sum := sha256.Sum256([]byte(user))
		events := randomLife(r, 40+r.IntN(120))
		for i := range events {
			if events[i].UserID == "user-3" {
				events[i].UserID = user
			}
		}
		erased := r.IntN(len(events))
		f := newFolding(t, e)
		for i := range events {
			watermark := lifeAt(i) - 5*hour
			f.pass(watermark)
			switch {
			case i == erased:
				before := len(f.facts)
				c := &account.Control{At: lifeAt(i), EventID: "forget", Watermark: watermark}
				known := strings.Contains(string(f.encoded()), user) || strings.Contains(string(f.encoded()), hex.EncodeToString(sum[:]))
				f.change("erasing", func() (bool, []account.Fact) { return f.folder.EraseUser(f.state, user, c) })
				if known {
					require.Equal(t, account.UserErased, f.facts[before].Type)
				}
				changed, again := f.folder.EraseUser(f.state, user, c)
				require.False(t, changed)
				require.Empty(t, again)
				f.facts = f.facts[before:]
			case i > erased && events[i].UserID == user:
				events[i].UserID = "user-4"
				fallthrough
			default:
				f.fold(&events[i], watermark)
			}
			if i >= erased {
				require.NotContains(t, string(f.encoded()), user)
				require.NotContains(t, string(f.encoded()), hex.EncodeToString(sum[:]))
			}
			if r.IntN(4) == 0 {
				f.state = reload(t, e, f.state)
			}
		}
		f.pass(lifeAt(len(events)) + 400*24*hour)
		require.NotContains(t, fmt.Sprintf("%+v", f.facts), user)
		for i := range f.facts {
			if f.facts[i].PartlyErased {
				partly++
			}
		}
	}
	assert.Positive(t, partly)
}

// TestErasingLeavesNothing of all that events have told of an account.
func TestErasingLeavesNothing(t *testing.T) {
	e := engine(t, everything)
	for seed := range uint64(lives) {
		r := rand.New(rand.NewPCG(seed, 19))
		f, events := newFolding(t, e), randomLife(r, 20+r.IntN(120))
		texts := map[string]bool{"acme": true, "usage": true, "forget": true}
		for i := range events {
			f.pass(lifeAt(i) - 5*hour)
			f.fold(&events[i], lifeAt(i)-5*hour)
			texts[events[i].UserID] = true
			if id := events[i].ID; len(id) > 3 {
				texts[id] = true
				texts[string(uuidBytes(id))] = true
			}
		}
		before := len(f.facts)
		at := lifeAt(len(events))
		facts := f.folder.Erase(f.state, at+30*24*hour, &account.Control{At: at, EventID: "forget", Watermark: at - 5*hour})
		require.Equal(t, account.Erased, facts[len(facts)-1].Type)
		for _, fact := range facts {
			fact.ID, fact.AccountID, fact.EventID, fact.Checklist = "", "", "", account.ChecklistRef{}
			for text := range texts {
				require.False(t, len(text) > 0 && strings.Contains(fmt.Sprintf("%+v", fact), text), text)
			}
		}
		stub := string(f.encoded())
		for text := range texts {
			require.False(t, len(text) > 0 && strings.Contains(stub, text), "%q is left", text)
		}
		f.state = reload(t, e, f.state)
		require.LessOrEqual(t, len(stub), 35)
		for i := range events {
			events[i].OccurredAt += 31 * 24 * hour
		}
		f.facts = f.facts[:before]
		anew := newFolding(t, e)
		for i := range events {
			f.pass(lifeAt(i) + 31*24*hour - 5*hour)
			anew.pass(lifeAt(i) + 31*24*hour - 5*hour)
			f.fold(&events[i], lifeAt(i)+31*24*hour-5*hour)
			anew.fold(&events[i], lifeAt(i)+31*24*hour-5*hour)
		}
		require.Equal(t, inWords(anew.facts), inWords(f.facts[before:]), "it starts from nothing")
	}
}

// uuidBytes is a UUID as states keep it.
func uuidBytes(id string) []byte {
	b, _ := hex.DecodeString(strings.ReplaceAll(id, "-", ""))
	if len(b) != 16 {
		return []byte(id)
	}
	return b
}

// fate is three accounts that are merged, erased and come back at random.
type fate struct {
	t      *testing.T
	engine *account.Engine
	folder *account.Folder
	states [3]*account.State
	offset int64
	facts  []account.Fact
	kept   bool
}

func (f *fate) id(i int) string { return []string{"acme", "globex", "initech"}[i] }

// step does one thing or another.
func (f *fate) step(r *rand.Rand, ev *usage.Event, at int64) {
	f.offset++
	i, what, other := r.IntN(3), r.IntN(30), r.IntN(3)
	if f.states[i] == nil {
		f.states[i] = f.engine.New(f.id(i), f.offset)
	}
	s := f.states[i]
	c := &account.Control{At: at, EventID: fmt.Sprint("control-", f.offset), Position: account.Position{Topic: "crm", Offset: f.offset}, Watermark: at - 5*hour}
	if s.Expired(c.Watermark) {
		f.states[i] = nil
		return
	}
	_, facts := f.folder.Pass(s, c.Watermark)
	f.facts = append(f.facts, facts...)
	switch {
	case what == 0 && s.Alias() == "" && i != other:
		f.merge(i, other, c)
	case what == 1:
		f.facts = append(f.facts, f.folder.Erase(s, at+r.Int64N(72*hour), c)...)
	case what == 2:
		f.folder.Reopen(s)
	case what == 3:
		_, facts := f.folder.EraseUser(s, fmt.Sprint("user-", r.IntN(7)), c)
		f.facts = append(f.facts, facts...)
	default:
		_, facts := f.folder.Apply(s, ev, account.Position{Topic: "usage", Offset: f.offset}, c.Watermark)
		f.facts = append(f.facts, facts...)
	}
	for i, s := range f.states {
		if s != nil && !f.kept {
			f.states[i] = reload(f.t, f.engine, s)
		}
	}
}

func (f *fate) merge(from, into int, c *account.Control) {
	if f.states[into] == nil {
		f.states[into] = f.engine.New(f.id(into), f.offset)
	}
	f.folder.Reopen(f.states[into])
	_, facts := f.folder.Pass(f.states[into], c.Watermark)
	f.facts = append(f.facts, facts...)
	carried, facts := f.folder.Merge(f.states[from], f.id(into), c)
	f.facts = append(f.facts, facts...)
	if carried == nil {
		return
	}
	facts, err := f.folder.Absorb(f.states[into], f.id(from), carried, c)
	require.NoError(f.t, err)
	f.facts = append(f.facts, facts...)
}

// TestNoFactIDComesTwice whatever accounts go through (attack 31: a stub has gone, the account returns, and consumers drop what
// is new), and nothing of it depends on what is in memory.
func TestNoFactIDComesTwice(t *testing.T) {
	e, came := engine(t, everything), map[account.Type]int{}
	for seed := range uint64(2 * lives) {
		var both [2]*fate
		for i := range both {
			r := rand.New(rand.NewPCG(seed, 23))
			both[i] = &fate{t: t, engine: e, folder: e.Folder(), kept: i == 0}
			events := randomLife(r, 250)
			for j := range events {
				both[i].step(r, &events[j], lifeAt(j))
			}
		}
		require.Equal(t, both[0].facts, both[1].facts, "seed %d", seed)
		ids := map[string]bool{}
		for _, f := range both[0].facts {
			require.False(t, ids[f.ID], "seed %d: %s has an id that was there", seed, f.Type)
			ids[f.ID] = true
			came[f.Type]++
		}
	}
	for _, k := range []account.Type{account.Merged, account.Absorbed, account.Erased, account.UserErased, account.SegmentChanged} {
		assert.Greater(t, came[k], 10, k)
	}
}

// TestStatesStayUnderTheirBoundWhenMerged merges accounts that are as large as can be, again and again.
func TestStatesStayUnderTheirBoundWhenMerged(t *testing.T) {
	for name, definition := range map[string]string{"everything": everything, "greedy": greedy()} {
		e := engine(t, definition).Wanting(func(account.Type) bool { return false }, false)
		f, into, biggest := e.Folder(), e.New("acme", math.MaxInt64), 0
		for seed := range uint64(6) {
			h, s := newHostile(seed), e.New(strings.Repeat("x", 256), math.MaxInt64)
			h.now += int64(seed) * 50 * hour
			position := account.Position{Topic: h.text, Partition: math.MaxInt32, Offset: math.MaxInt64}
			var ev usage.Event
			for i := range hostileEvents / 30 {
				if i%500 == 0 {
					h.change()
				}
				watermark := h.next(&ev)
				for _, account := range []*account.State{s, into} {
					f.Pass(account, watermark)
					f.Apply(account, &ev, position, watermark)
				}
			}
			c := &account.Control{At: h.now, EventID: h.text, Position: position, Watermark: h.watermark}
			carried, _ := f.Merge(s, "acme", c)
			_, err := f.Absorb(into, s.AccountID(), carried, c)
			require.NoError(t, err)
			encoded, err := into.AppendBinary(nil)
			require.NoError(t, err)
			biggest = max(biggest, len(encoded))
			require.LessOrEqual(t, len(encoded)+11, e.Checklist().StateBound(), name)
			into = reload(t, e, into)
		}
		assert.Greater(t, biggest, e.Checklist().StateBound()/9, name)
		t.Logf("%s: at most %d bytes of %d", name, biggest, e.Checklist().StateBound())
	}
}
