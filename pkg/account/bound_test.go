package account_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// greedy is everything with targets that are hardly ever reached, so that steps keep all that they can.
func greedy() string {
	text := everything
	for _, c := range [][2]string{
		{`at_least: 6, within: 2d`, "at_least: 1000000, within: 300d"},
		{`(kind: count, .*at_least: )[0-9]+`, "${1}900000000"},
		{`(kind: distinct, .*at_least: )[0-9]+(, within: [0-9]+m)`, "${1}5$2"}, // many windows fit into what is remembered
		{`(kind: distinct, .*at_least: )[0-9]+`, "${1}50"},
		{`(kind: days, event: e7, at_least: )6`, "${1}3000"},
		{`(kind: days, .*at_least: )[0-9]+(, within: )3d`, "${1}300${2}300d"},
		{`(kind: sum, .*at_least: )[0-9.]+`, "${1}1e15"},
		{`(kind: ratio, .*at_least: )[0-9.]+`, "${1}1000"},
		{`at_least: (14|16)\}`, "at_least: 1000000000}"},
		{`at_most: [0-9]+`, "at_most: 1e9"},
		{`half_life: [0-9]+d, at_least: [0-9]+`, "half_life: 300d, at_least: 1000000000"},
		{`limit: 10\}`, "limit: 100}"},
		{`users: 4`, "users: 40"},
	} {
		text = regexp.MustCompile(c[0]).ReplaceAllString(text, c[1])
	}
	return text
}

// hostile makes events that want a state to grow: of many users or one, with ids and values as long as can be, close
// together or ages apart, in order or not. How they are changes every now and then.
type hostile struct {
	*rand.Rand
	text      string
	ids       []string
	now       int64
	watermark int64

	users, apart, late int
	long, onTime       bool
	atTheEnd           bool // of time: what has come before is as old as can be
}

func newHostile(seed uint64) *hostile {
	h := &hostile{Rand: rand.New(rand.NewPCG(seed, seed)), text: strings.Repeat("é", 128), now: lifeStarts}
	for i := range 1000 {
		h.ids = append(h.ids, fmt.Sprint(i, h.text)) // over what is kept
	}
	return h
}

func (h *hostile) change() {
	h.users, h.long, h.onTime = 1+h.IntN(len(h.ids)), h.IntN(3) > 0, h.IntN(3) > 0
	h.apart, h.late = h.IntN(30), h.IntN(40)
}

// next overwrites an event with the next one and returns the watermark.
func (h *hostile) next(ev *usage.Event) (watermark int64) {
	h.now += h.Int64N(1 << h.apart)
	*ev = usage.Event{ID: h.ids[h.IntN(len(h.ids))], UserID: h.ids[h.IntN(h.users)], Name: names[h.IntN(len(names))],
		OccurredAt: h.now - h.Int64N(1<<h.late), Quantity: h.Float64(), Properties: ev.Properties[:0]}
	text, number := h.ids[h.IntN(len(h.ids))], usage.DoubleValue(h.Float64()*1e3)
	if !h.long {
		ev.UserID, text = ev.UserID[:3], text[:3]
	}
	if h.IntN(50) == 0 {
		odd := []float64{math.MaxFloat64, math.Inf(1), math.NaN(), -1}[h.IntN(4)]
		ev.Quantity, number = odd, usage.DoubleValue(odd)
	}
	if h.atTheEnd {
		ev.OccurredAt = []int64{math.MaxInt64, math.MinInt64, ev.OccurredAt}[h.IntN(3)]
	}
	for _, p := range []string{"p", "limit", "size", "kind", "flag", "role"} {
		switch h.IntN(5) {
		case 0, 1:
			ev.Properties = append(ev.Properties, usage.Property{Key: p, Value: number})
		case 2:
			ev.Properties = append(ev.Properties, usage.Property{Key: p, Value: usage.StringValue(text)})
		case 3:
			ev.Properties = append(ev.Properties, usage.Property{Key: p, Value: usage.LongValue(h.Int64())})
		}
	}
	if h.onTime {
		h.watermark = max(h.watermark, h.now-h.Int64N(1<<h.late))
	}
	return h.watermark
}

// names are those of everything's events.
var names = strings.Fields("e0 e1 e2 e3 e4 e5 e6 e7 e8 e9 e10 e11 e12")

// TestStatesStayUnderTheirBound whatever comes, and takes as much memory as it says.
func TestStatesStayUnderTheirBound(t *testing.T) {
	for name, definition := range map[string]string{"everything": everything, "greedy": greedy()} {
		t.Run(name, func(t *testing.T) {
			e := engine(t, definition).Wanting(func(account.Type) bool { return false }, false)
			h, f, s := newHostile(1), e.Folder(), e.New("acme", math.MaxInt64)
			position := account.Position{Topic: h.text, Partition: math.MaxInt32, Offset: math.MaxInt64}
			var ev usage.Event
			var encoded []byte
			biggest, slack := 0, 0.0
			for i := range hostileEvents / 2 {
				if i%500 == 0 {
					h.change()
				}
				h.atTheEnd = i >= hostileEvents/2-2000
				watermark := h.next(&ev)
				f.Pass(s, watermark)
				f.Apply(s, &ev, position, watermark)
				if i%8 != 0 {
					continue
				}
				encoded, _ = s.AppendBinary(encoded[:0])
				biggest = max(biggest, len(encoded))
				if len(encoded) > 1000 {
					slack = max(slack, float64(s.Size())/float64(len(encoded)))
				}
			}
			require.LessOrEqual(t, biggest+11, e.Checklist().StateBound()) // with what the runtime puts before it
			assert.Greater(t, biggest, e.Checklist().StateBound()/5, "the bound is far off")
			assert.Less(t, slack, 2.6, "memory that it takes for each byte of its encoding")
			t.Logf("at most %d bytes of %d, %.2f bytes of memory a byte", biggest, e.Checklist().StateBound(), slack)
			reload(t, e, s)
		})
	}
}
