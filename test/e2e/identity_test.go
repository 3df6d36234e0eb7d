package e2e

import (
	"bytes"
	"encoding/json"
	"iter"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/config"
	userstate "github.com/pqlstream/pqlstream/pkg/identity"
	"github.com/pqlstream/pqlstream/pkg/kafka"
	"github.com/pqlstream/pqlstream/pkg/usage"
	"github.com/pqlstream/pqlstream/test/oracle"
	"github.com/pqlstream/pqlstream/test/servers"
)

// withoutAccount is the reason of the dead letter of an event that names only a user, of whom no account became known.
const withoutAccount = "user_without_account"

// identity follows whole lives: merges, erasures and events that name only a user go through ingest and resolve. It is history
// that is published, so that no clock says what time it is.
func identity(t *testing.T, c *config.Config) {
	ingest(t, c)
	c.Checklist = lifeFile
	c.Stages = []config.Stage{config.Ingest, config.Resolve, config.Activation}
	c.Runtime.Replay = true
	in := &c.Input.Identity
	in.UsersWithoutAccount, in.Hold, in.HoldEvents = config.ResolveUsers, 48*time.Hour, 5
	in.Merge = config.MergeEvent{Event: mergeEvent, From: "properties." + mergedFrom}
	in.EraseAccount.Event, in.EraseUser.Event = eraseAccountEvent, eraseUserEvent
}

// newLifeSetup is newSetup with the settings of identity.
func newLifeSetup(t *testing.T, protocol config.Protocol, seed uint64, opts ...servers.KafkaOption) *setup {
	return newSetupOf(t, func(t *testing.T, c *config.Config) {
		identity(t, c)
		c.Input.Sources = c.Input.Sources[:2] // the third has its fields elsewhere
	}, protocol, seed, opts...)
}

// livesInputs yields the records of whole lives, some of which can't be used.
func livesInputs(seed uint64, n, accounts int) iter.Seq[input] {
	return func(yield func(input) bool) {
		rng := rand.New(rand.NewPCG(seed, 7))
		i := 0
		for ev := range livesOf(seed, n, accounts) {
			in := input{event: ev}
			if i++; rng.IntN(60) < 7 && i*64/n%8 == 3 && !isRequest(ev) {
				in = unusable(rng, ev)
				switch in.reason {
				case usage.CodeAccountIDMissing:
					in.event.UserID = "" // or it would be its user's
				case "wrong_partition":
					in = input{event: ev}
				}
			}
			if !yield(in) {
				return
			}
		}
	}
}

func isRequest(ev *usage.Event) bool {
	return ev.Name == mergeEvent || ev.Name == eraseAccountEvent || ev.Name == eraseUserEvent
}

// eraseBefore has a busy account erased, so that what is about to happen happens in the middle of that.
func (s *setup) eraseBefore(rng *rand.Rand, accounts int) {
	at := s.reached()
	for range 20 {
		id := rng.IntN(max(accounts/50, 1))
		ev := &usage.Event{ID: "before", AccountID: accountID(id), Name: eraseAccountEvent, OccurredAt: at, ReceivedAt: at}
		s.putBy(rng, input{event: ev})
	}
}

// control is a record that is no event of its own account, or a mark.
type control struct {
	kind      string
	Account   string   `json:"account"`
	User      string   `json:"user"`
	Into      string   `json:"into"`
	From      string   `json:"from"`
	At        int64    `json:"at"`
	EventID   string   `json:"event_id"`
	Event     string   `json:"event"`
	Visited   []string `json:"visited"`
	Canonical string   `json:"canonical"`
}

// controlOf reads a record that has no key.
func controlOf(t *testing.T, r *kgo.Record) (c control) {
	value, _, _ := bytes.Cut(r.Value, []byte{0}) // a state may follow
	for _, h := range r.Headers {
		switch h.Key {
		case "pqlstream-control":
			c.kind = string(h.Value)
		case "pqlstream-along":
			value = h.Value
		}
	}
	require.NotEmpty(t, c.kind)
	require.NoError(t, json.Unmarshal(value, &c))
	return c
}

// followed has the oracle follow what ingest and resolve have written, and checks that this is what they have to.
func (w *world) followed() {
	w.t.Helper()
	w.judge, w.people = oracle.OfLife(), oracle.NewUsers(w.c.Input.Identity.Hold.Milliseconds(), w.c.Input.Identity.HoldEvents)
	w.judge.ThroughIngest()
	w.resolved()
	lanes := map[int32][]*kgo.Record{}
	for _, r := range w.readCommitted(w.c.TopicNames().Usage) {
		lanes[r.Partition] = append(lanes[r.Partition], r)
	}
	w.carriedOnce(lanes)
	for again := true; again; { // what accounts send one another has to be sent before it is read
		again = false
		for n, lane := range lanes {
			for len(lane) > 0 && w.take(lane[0]) {
				lane, again = lane[1:], true
			}
			lanes[n] = lane
		}
	}
	for n, lane := range lanes {
		if len(lane) > 0 {
			require.Fail(w.t, "nobody has sent this", "%d@%d: %+v", n, lane[0].Offset, controlOf(w.t, lane[0]))
		}
	}
	w.judge.Settle()
	require.Empty(w.t, w.judge.Unread(), "nobody has got this")
}

// take has the oracle take in a record of the usage topic, if it can already.
func (w *world) take(r *kgo.Record) bool {
	if len(r.Key) > 0 {
		from := sourceOf(w.t, r)
		ev := *w.events[from]
		ev.AccountID = string(r.Key)
		w.judge.Fold(oracle.Record{Event: &ev, Partition: r.Partition, Offset: r.Offset, Source: from, Until: watermarkOf(w.t, r)})
		return true
	}
	c := controlOf(w.t, r)
	if c.kind == "mark" {
		w.judge.Tell(r.Partition, markOf(w.t, r))
		return true
	}
	from := sourceOf(w.t, r)
	require.Equal(w.t, kafka.Partition([]byte(c.Account), int32(w.c.Input.UsagePartitions)), r.Partition)
	return w.judge.Take(&oracle.Control{
		Kind: c.kind, To: c.Account, Other: c.Into + c.From, User: c.User, At: c.At, EventID: c.EventID, EventName: c.Event,
		Visited: c.Visited, Canonical: c.Canonical, Event: w.events[from], Partition: r.Partition, Offset: r.Offset, Source: from, Until: watermarkOf(w.t, r),
	})
}

// carriedOnce checks that each event and request has come to its account's partition exactly once, beside what accounts send one
// another.
func (w *world) carriedOnce(lanes map[int32][]*kgo.Record) {
	w.t.Helper()
	type carried struct {
		from oracle.Position
		to   string
	}
	want, got := map[carried]bool{}, map[carried]bool{}
	for from, ev := range w.events {
		switch {
		case ev.Name == mergeEvent:
			want[carried{from, ev.Property(mergedFrom).Str()}] = true
		case ev.Name == eraseUserEvent:
			for id := range w.people.Erasures[from] {
				want[carried{from, id}] = true
			}
		case ev.AccountID != "":
			want[carried{from, ev.AccountID}] = true
		case w.people.Attributed[from] != "":
			want[carried{from, w.people.Attributed[from]}] = true
		}
	}
	for _, lane := range lanes {
		for _, r := range lane {
			to := string(r.Key)
			if len(r.Key) == 0 {
				c := controlOf(w.t, r)
				if c.kind == "mark" || len(c.Visited) > 0 {
					continue
				}
				to = c.Account
				w.requireRequest(&c, w.events[sourceOf(w.t, r)])
			}
			one := carried{sourceOf(w.t, r), to}
			require.True(w.t, want[one], "%+v is not to be there", one)
			require.False(w.t, got[one], "%+v was carried over twice", one)
			require.Equal(w.t, kafka.Partition([]byte(to), int32(w.c.Input.UsagePartitions)), r.Partition)
			got[one] = true
		}
	}
	require.Len(w.t, got, len(want), "not everything was carried over")
}

// requireRequest checks that a control is what its event asks for.
func (w *world) requireRequest(c *control, ev *usage.Event) {
	want := control{kind: c.kind, At: ev.OccurredAt, EventID: ev.ID, Event: ev.Name, Account: c.Account}
	switch ev.Name {
	case mergeEvent:
		want.kind, want.Into = "merge", ev.AccountID
	case eraseAccountEvent:
		want.kind = "erase-account"
	case eraseUserEvent:
		want.kind, want.User = "erase-user", ev.UserID
	}
	require.Equal(w.t, want, *c)
}

// resolved has the oracle follow the events that name only a user, and checks that all are there and that links are true.
func (w *world) resolved() {
	w.t.Helper()
	seen, told := map[oracle.Position]bool{}, map[[2]string]map[int64]bool{}
	values := map[oracle.Position]string{}
	for _, r := range w.readCommitted(w.c.TopicNames().Unresolved) {
		var c control
		if len(r.Key) == 0 {
			if c = controlOf(w.t, r); c.kind == "mark" {
				w.people.Tell(r.Partition, markOf(w.t, r))
				continue
			}
		}
		from := sourceOf(w.t, r)
		ev := w.events[from]
		require.NotNil(w.t, ev, "%v was never put there, or is a dead letter", from)
		require.Equal(w.t, kafka.Partition([]byte(ev.UserID), int32(w.c.Input.UsagePartitions)), r.Partition)
		if c.kind == "link" {
			require.Equal(w.t, []any{ev.UserID, ev.AccountID, ev.OccurredAt}, []any{c.User, c.Account, c.At})
			link := [2]string{c.User, c.Account}
			if told[link] == nil {
				told[link] = map[int64]bool{}
			}
			told[link][c.At/day.Milliseconds()] = true
			w.people.Link(c.User, c.Account, c.At, r.Partition)
			continue
		}
		require.False(w.t, seen[from], "%v was carried over twice", from)
		seen[from] = true
		if ev.Name == eraseUserEvent {
			w.people.Erase(c.User, c.Account, from, r.Partition)
			continue
		}
		values[from] = string(r.Value)
		w.people.Fold(ev, from, r.Partition)
	}
	w.people.Settle()
	for from, ev := range w.events {
		switch {
		case ev.Name == eraseUserEvent || ev.AccountID == "":
			require.True(w.t, seen[from], "%v was not carried over", from)
		case ev.UserID != "" && !isRequest(ev):
			require.True(w.t, told[[2]string{ev.UserID, ev.AccountID}][ev.OccurredAt/day.Milliseconds()], "nobody was told of the link in %v", from)
		}
	}
	for from := range w.people.Dropped {
		w.letters[from] = letter{withoutAccount, values[from]}
	}
}

const day = 24 * time.Hour

// verifyUsers compares what is known of users with what the oracle knows, in the changelog and in Redis.
func (w *world) verifyUsers() {
	w.t.Helper()
	names := w.c.TopicNames()
	truth := w.states(config.Resolve, names.Unresolved, names.ResolveChangelog, int32(w.c.Input.UsagePartitions))
	for _, at := range []int64{0, w.newest - 20*day.Milliseconds(), w.newest - 10*day.Milliseconds(), w.newest} {
		want, got := w.people.Accounts(at), map[string]string{}
		for id, value := range truth {
			u, err := userstate.Load(value)
			require.NoError(w.t, err)
			if u.Known() || u.Waiting() {
				got[id] = u.Account(at)
			}
		}
		require.Equal(w.t, want, got)
	}
}

// awaitTimers waits until all is published that follows from what has been read: what is due by then fires after it. If that
// does not come to pass, verify tells what is missing.
func (w *world) awaitTimers() {
	w.t.Helper()
	if !w.wholeLives() {
		return
	}
	if w.c.Direct() {
		w.judge.Settle()
	} else {
		w.followed()
	}
	for began := time.Now(); time.Since(began) < patience/6; {
		if len(w.readCommitted(w.c.TopicNames().Lifecycle)) >= len(w.judge.Facts) {
			return
		}
	}
}

// requireWholeLives makes sure that a stream is worth judging.
func (w *world) requireWholeLives(all []string) {
	w.t.Helper()
	n := map[string]int{}
	countLife(n, w.judge)
	requireLife(w.t, n, all)
	require.NotEmpty(w.t, w.judge.Current)
	require.NotEmpty(w.t, w.people.Attributed)
	require.NotEmpty(w.t, w.people.Dropped)
	require.NotEmpty(w.t, w.people.Erasures)
}

// shortLifeFacts are those of lifeFacts that happen in any short stream.
var shortLifeFacts = []string{
	"step_undone", "qualified", "requalified", "escalated", "converted", "near_miss", "excluded", "included", "segment_changed",
	"merged", "absorbed", "erased", "user_erased", "disqualified merged", "by event", "by timer", "by merge", "by erasure",
	"step_done by merge", "late", "partly erased",
}
