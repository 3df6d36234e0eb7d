package identity

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const hour = int64(3_600_000)

var limits = &Limits{Hold: 72 * hour, Events: 10, Retention: 720 * hour}

// heldAt is an event that says which it is.
func heldAt(n int, at int64) Held {
	return Held{OccurredAt: at, Event: binary.BigEndian.AppendUint64(nil, uint64(n)), Position: []byte("clicks:1:7"), TraceParent: []byte("00-1-2-01")}
}

func number(h *Held) int { return int(binary.BigEndian.Uint64(h.Event)) }

func linked(tellings ...Link) *User {
	u := &User{}
	for _, t := range tellings {
		u.Link(t.Account, t.First)
		u.Link(t.Account, t.Last)
	}
	return u
}

func TestAttribution(t *testing.T) {
	for name, test := range map[string]struct {
		links []Link
		at    map[int64]string
	}{
		"nobody":                     {nil, map[int64]string{5: ""}},
		"the only one, also earlier": {[]Link{{"a", 10, 10}}, map[int64]string{1: "a", 10: "a", 99: "a"}},
		"whoever was told last":      {[]Link{{"a", 10, 10}, {"b", 20, 20}}, map[int64]string{9: "a", 19: "a", 20: "b", 30: "b"}},
		"back in the first":          {[]Link{{"a", 10, 30}, {"b", 20, 20}}, map[int64]string{15: "a", 25: "b", 30: "a"}},
		"at the same time":           {[]Link{{"b", 10, 10}, {"a", 10, 10}}, map[int64]string{9: "a", 10: "a"}},
	} {
		t.Run(name, func(t *testing.T) {
			u := linked(test.links...)
			for at, want := range test.at {
				assert.Equal(t, want, u.Account(at), "at %d", at)
			}
		})
	}
}

// What was told decides, not the order in which it was heard.
func TestOrderOfTellingsMeansNothing(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		var tellings []Link
		for range 1 + r.IntN(12) {
			at := r.Int64N(40)
			tellings = append(tellings, Link{string(rune('a' + r.IntN(4))), at, at})
		}
		u := linked(tellings...)
		r.Shuffle(len(tellings), func(i, j int) { tellings[i], tellings[j] = tellings[j], tellings[i] })
		other := linked(tellings...)
		require.Equal(t, u, other)
		for at := range int64(45) {
			require.Equal(t, u.Account(at), other.Account(at))
		}
	}
}

func TestTheAccountToldOfLeastRecentlyIsForgotten(t *testing.T) {
	u := &User{}
	for i := range int64(MaxLinks) {
		changed, _ := u.Link(fmt.Sprint("account-", i), 100+i)
		require.True(t, changed)
	}
	changed, _ := u.Link("too late", 50)
	require.False(t, changed, "it is the one itself")
	changed, _ = u.Link("new", 500)
	require.True(t, changed)
	require.Len(t, u.links, MaxLinks)
	require.Equal(t, "account-1", u.Account(0))
	changed, _ = u.Link("new", 500)
	require.False(t, changed)
}

func TestAnEventTooLargeIsNotHeld(t *testing.T) {
	u := &User{}
	require.Empty(t, u.Hold(heldAt(1, 5), 0, 9, limits))
	large := Held{OccurredAt: 6, Event: make([]byte, MaxHeldBytes)}
	require.Empty(t, u.Hold(Held{OccurredAt: 7, Event: make([]byte, MaxHeldBytes-100)}, 0, 9, limits), "it has just room")
	large.Position = []byte("x")
	dropped := u.Hold(large, 0, 9, limits)
	require.Len(t, dropped, 1)
	require.Equal(t, TooMuch, dropped[0].Why)
	require.Equal(t, large, dropped[0].Held)
	require.Len(t, u.held, 2, "it pushes nobody out")
	dropped = u.Hold(Held{OccurredAt: 8, Event: make([]byte, 500)}, 0, 9, limits)
	require.Len(t, dropped, 2)
	require.Equal(t, 1, number(&dropped[0].Held), "the oldest goes first")
}

// An event of long ago waits as long as others.
func TestLateEventsWaitAsWell(t *testing.T) {
	u := &User{}
	u.Hold(heldAt(1, 5*hour), 1000*hour, 9, limits)
	require.Empty(t, u.Expire(1072*hour-1))
	require.Equal(t, 1072*hour, u.NextTimer())
	require.Len(t, u.Expire(1072*hour), 1)
}

func TestAnErasedUserBeginsAnew(t *testing.T) {
	u := linked(Link{"b", 1, 1}, Link{"a", 2, 3})
	accounts, held := u.Erase(100*hour, limits)
	require.Equal(t, []string{"a", "b"}, accounts)
	require.Zero(t, held)
	require.Empty(t, u.Account(5))
	require.Equal(t, 820*hour, u.NextTimer())
	require.False(t, u.Gone(820*hour-1))
	require.True(t, u.Gone(820*hour))

	require.Empty(t, u.Hold(heldAt(1, 101*hour), 101*hour, 101*hour, limits))
	require.Empty(t, u.Expire(172*hour))
	_, released := u.Link("c", 102*hour)
	require.Len(t, released, 1)
	require.Zero(t, u.NextTimer())
	require.False(t, u.Gone(9999*hour))
}

// fate is what became of events.
type fate struct {
	t    *testing.T
	what map[int]string
}

func (f *fate) is(n int, what string) {
	f.t.Helper()
	if before, twice := f.what[n]; twice {
		require.Fail(f.t, "twice", "event %d was %s and is %s", n, before, what)
	}
	f.what[n] = what
}

func (f *fate) dropped(list []Dropped) {
	f.t.Helper()
	require.True(f.t, slices.IsSortedFunc(list, func(a, b Dropped) int { return number(&a.Held) - number(&b.Held) }), "the oldest first")
	for i := range list {
		f.is(number(&list[i].Held), "dropped")
	}
}

// Whatever happens to a user, each event is attributed, dropped, erased or still held, once; the bounds hold; timers lead on;
// and the state survives being encoded at any time.
func TestEveryEventHasOneFate(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 2))
		u, f := &User{}, &fate{t, map[int]string{}}
		events, watermark := 0, int64(0)
		for range 150 {
			watermark += r.Int64N(12 * hour)
			switch p := r.IntN(100); {
			case p < 70:
				at := max(watermark+r.Int64N(100*hour)-80*hour, 1)
				events++
				if !u.Known() {
					h := heldAt(events, at)
					if r.IntN(4) == 0 {
						h.Event = append(h.Event, make([]byte, r.IntN(120_000))...)
					}
					f.dropped(u.Hold(h, watermark, watermark, limits))
				} else {
					require.NotEmpty(t, u.Account(at))
					f.is(events, "attributed")
				}
			case p < 90:
				f.dropped(u.Expire(watermark))
				if due := u.NextTimer(); due != 0 && due <= watermark {
					require.True(t, u.Gone(watermark), "a timer that leads nowhere")
					u = &User{}
				}
			case p < 94:
				_, released := u.Link(string(rune('a'+r.IntN(3))), watermark)
				require.True(t, slices.IsSortedFunc(released, func(a, b Held) int { return number(&a) - number(&b) }))
				for i := range released {
					f.is(number(&released[i]), "released")
				}
			default:
				for i := range u.held {
					f.is(number(&u.held[i]), "erased")
				}
				want := len(u.held)
				_, held := u.Erase(watermark, limits)
				require.Equal(t, want, held)
			}
			require.LessOrEqual(t, len(u.held), limits.Events)
			require.LessOrEqual(t, u.bytes, MaxHeldBytes)
			require.False(t, len(u.held) > 0 && u.Known())
			u = reload(t, u)
		}
		for i := range u.held {
			f.is(number(&u.held[i]), "held")
		}
		require.Len(t, f.what, events)
	}
}

// reload holds that a user is the same after being encoded and loaded, and that its size is told about right.
func reload(t *testing.T, u *User) *User {
	t.Helper()
	b, err := u.AppendBinary([]byte("before"))
	require.NoError(t, err)
	loaded, err := Load(b[6:])
	require.NoError(t, err)
	again, err := loaded.AppendBinary(nil)
	require.NoError(t, err)
	require.Equal(t, string(b[6:]), string(again))
	require.Equal(t, u.bytes, loaded.bytes)
	require.Equal(t, u.NextTimer(), loaded.NextTimer())
	require.Equal(t, u.Size(), loaded.Size())
	require.GreaterOrEqual(t, u.Size(), len(again)/2)
	return loaded
}

func TestLoadRefusesWhatWouldNotHaveBeenWritten(t *testing.T) {
	full, err := linked(Link{"a", 1, 2}, Link{"b", 3, 3}).AppendBinary(nil)
	require.NoError(t, err)
	require.Equal(t, "\x01\x02\x01a\x01\x01\x01b\x03\x00\x00\x00", string(full))
	for name, b := range map[string]string{
		"nothing": "", "another layout": "\x02\x00\x00\x00", "cut": string(full[:7]), "more": string(full) + "\x00",
		"accounts out of order": "\x01\x02\x01b\x01\x01\x01a\x03\x00\x00\x00", "twice the same": "\x01\x02\x01a\x01\x01\x01a\x03\x00\x00\x00",
		"no account": "\x01\x01\x00\x01\x01\x00\x00", "no text": "\x01\x01\x01\xff\x01\x01\x00\x00",
		"a long number": "\x01\x80\x00\x00\x00", "too many links": "\x01\x41\x00\x00", "a link and an end": "\x01\x01\x01a\x01\x00\x00\x01",
		"a link and an event": "\x01\x01\x01a\x01\x00\x01\x01\x01\x00\x00\x00\x01x\x00", "too many bytes": "\x01\x00\x01\x01\x01\x00\x00\x00\x81\x80\x10" + strings.Repeat("x", MaxHeldBytes+1) + "\x00",
	} {
		_, err := Load([]byte(b))
		assert.Error(t, err, name)
	}
}

// What Load accepts is what AppendBinary writes, and can be worked with.
func FuzzLoad(f *testing.F) {
	u := &User{}
	u.Hold(heldAt(1, 5), 3, 9, limits)
	for _, u := range []*User{u, linked(Link{"a", 1, 2}, Link{"b", 3, 3}), {expires: 7}} {
		b, err := u.AppendBinary(nil)
		require.NoError(f, err)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		u, err := Load(b)
		if err != nil {
			return
		}
		again, err := u.AppendBinary(nil)
		require.NoError(t, err)
		require.Equal(t, b, again)
		u.Account(5)
		if !u.Known() {
			u.Hold(heldAt(1, 5), 3, 9, limits)
		}
		u.Expire(6)
		u.Link("c", 7)
		require.LessOrEqual(t, len(u.links), MaxLinks)
		u.Erase(8, limits)
		reload(t, u)
	})
}
