package account_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/checklist"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

const dayMs = 86_400_000

// naive is the benchmark job's checklist as a plain fold, written without the engine.
type naive struct {
	done, size int
	qualified  bool
	users      []string
	days       []int64
	reports    map[int64]int
	stored     float64
}

func (n *naive) apply(e *usage.Event) (qualified bool) {
	day := e.OccurredAt / dayMs
	set := func(step int, reached bool) {
		if reached {
			n.done |= 1 << step
		}
	}
	switch e.Name {
	case "signed_up":
		n.size, _ = strconv.Atoi(e.Property("company_size").String())
	case "created_project":
		set(0, true)
	case "invite_accepted":
		if !slices.Contains(n.users, e.UserID) {
			n.users = append(n.users, e.UserID)
		}
		set(1, len(n.users) >= 3)
	case "session_started":
		if !slices.Contains(n.days, day) {
			n.days = append(n.days, day)
		}
		set(2, len(n.days) >= 3)
	case "report_run":
		if n.reports == nil {
			n.reports = map[int64]int{}
		}
		n.reports[day]++
		for end := day; end < day+7; end++ {
			sum := 0
			for d := end - 6; d <= end; d++ {
				sum += n.reports[d]
			}
			set(3, sum >= 5)
		}
	case "storage_used":
		n.stored += e.Quantity
		set(4, n.stored >= 80)
	case "premium_viewed":
		set(5, true)
	default:
		return false
	}
	steps := 0
	for d := n.done; d != 0; d &= d - 1 {
		steps++
	}
	threshold := 0.75
	if n.size >= 500 {
		threshold = 0.40
	} else if n.size >= 50 {
		threshold = 0.60
	}
	if n.qualified || float64(steps)/6 < threshold {
		return false
	}
	n.qualified = true
	return true
}

func benchEngine(t testing.TB) *account.Engine {
	t.Helper()
	data, err := os.ReadFile("../../config/checklists/bench.yaml")
	require.NoError(t, err)
	return engine(t, string(data))
}

func engine(t testing.TB, definition string) *account.Engine {
	t.Helper()
	def, err := checklist.Parse([]byte(definition))
	require.NoError(t, err)
	c, err := checklist.Compile(def)
	require.NoError(t, err)
	return account.NewEngine(c)
}

// usageOf makes events as the benchmark's generator does: late by up to some hours, sizes as texts.
func usageOf(r *rand.Rand, n int) (events []usage.Event) {
	names := []string{"page_viewed", "session_started", "report_run", "storage_used", "invite_accepted", "created_project",
		"premium_viewed", "signed_up"}
	for i := range n {
		e := usage.Event{
			ID: randomID(r), UserID: fmt.Sprintf("user-%d", r.IntN(6)), Name: names[r.IntN(len(names))],
			OccurredAt: 1_748_822_400_000 + int64(i)*dayMs*40/int64(n) - r.Int64N(dayMs/2), Quantity: float64(r.IntN(120)) / 4,
		}
		if e.Name == "signed_up" {
			// The job takes the size that comes last, pqlstream the one that happened last.
			e.OccurredAt += dayMs * 100
			e.OccurredAt += int64(i) * dayMs
			size := []int{1, 49, 50, 499, 500, 9000}[r.IntN(6)]
			e.Properties = []usage.Property{{Key: "company_size", Value: usage.StringValue(strconv.Itoa(size))}}
		}
		events = append(events, e)
	}
	return events
}

func randomID(r *rand.Rand) string {
	if r.IntN(4) == 0 {
		return fmt.Sprintf("event-%d", r.Uint32())
	}
	a, b := r.Uint64(), r.Uint64()
	return fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", uint32(a), uint16(a>>32), uint16(a>>48), uint16(b), b>>16)
}

func TestTheBenchmarkJobAgreesWithAPlainFold(t *testing.T) {
	e := benchEngine(t)
	all := 0
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 1))
		n, s := &naive{}, e.New("acme", 7)
		for i, ev := range usageOf(r, 5+r.IntN(120)) {
			want := n.apply(&ev)
			_, facts := e.Folder().Apply(s, &ev, account.Position{Topic: "usage", Offset: int64(i)}, 0)
			got := slices.ContainsFunc(facts, func(f account.Fact) bool { return f.Type == account.Qualified })
			require.Equal(t, want, got, "seed %d, event %d: %+v", seed, i, ev)
			if got {
				all++
				require.Equal(t, ev.ID, facts[len(facts)-1].EventID)
			}
			if r.IntN(10) == 0 {
				s = reload(t, e, s)
			}
		}
	}
	require.Greater(t, all, 100, "hardly any account qualified: the test shows nothing")
}
