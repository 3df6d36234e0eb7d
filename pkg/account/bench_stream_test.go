package account_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// The mix of the benchmark's job (test/bench): 20 events an account over 30 days, about half of which no step listens to.
const (
	streamAccounts = 100_000
	streamEvents   = 20 * streamAccounts
	streamBatch    = 10_000
)

// mix makes the stream's events a batch at a time, so that making them is not measured. Its memory is used again.
type mix struct {
	random         *rand.Rand
	made, signedUp int
	ids            []string
	events         []usage.Event
	accounts       []int // of the events
}

func newMix() *mix {
	m := &mix{random: rand.New(rand.NewPCG(1, 1)), events: make([]usage.Event, streamBatch), accounts: make([]int, streamBatch)}
	for i := range streamAccounts {
		m.ids = append(m.ids, fmt.Sprintf("acct-%06d", i))
	}
	return m
}

// mixNames are in order of frequency, each with the weight 1/rank.
var mixNames = []string{"page_viewed", "session_started", "report_run", "feature_used", "storage_used", "project_updated",
	"invite_accepted", "comment_added", "created_project", "export_downloaded", "premium_viewed", "integration_connected"}

var mixWeights = func() (sums []float64) {
	sum := 0.0
	for rank := range mixNames {
		sum += 1 / float64(rank+1)
		sums = append(sums, sum)
	}
	return sums
}()

func (m *mix) next() bool {
	for i := range m.events {
		m.accounts[i] = m.event(&m.events[i])
	}
	return m.made < streamEvents
}

func (m *mix) event(ev *usage.Event) (number int) {
	*ev = usage.Event{Quantity: 1, ID: randomUUID(m.random)}
	if m.signedUp < streamAccounts && 3*m.made*streamAccounts >= 2*m.signedUp*streamEvents {
		number = m.signedUp
		m.signedUp++
		ev.Name = "signed_up"
		ev.Properties = []usage.Property{{Key: "company_size", Value: usage.StringValue(strconv.Itoa(mixSize(number)))}}
	} else {
		u := m.random.Float64()
		number = int(float64(m.signedUp) * u * math.Sqrt(u))
		x := m.random.Float64() * mixWeights[len(mixWeights)-1]
		at, _ := slices.BinarySearch(mixWeights, x)
		if ev.Name = mixNames[at]; ev.Name == "storage_used" {
			ev.Quantity = float64(m.random.IntN(240)) / 4
		}
	}
	ev.AccountID, ev.UserID = m.ids[number], fmt.Sprintf("user-%06d-%d", number, m.random.IntN(2+mixSize(number)%8))
	ev.OccurredAt = 1_748_822_400_000 + int64(m.made)*30*dayMs/streamEvents - m.random.Int64N(5*60_000)
	m.made++
	return number
}

// mixSize gives 70 % small, 25 % medium and 5 % large companies.
func mixSize(number int) int {
	r := rand.New(rand.NewPCG(uint64(number), 1))
	switch percent := r.IntN(100); {
	case percent < 70:
		return 1 + r.IntN(49)
	case percent < 95:
		return 50 + r.IntN(450)
	}
	return 500 + r.IntN(9500)
}

// heap is the memory in use, in bytes.
func heap() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// counted is what this process has allocated.
func counted() (allocs, size uint64) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs, m.TotalAlloc
}

// BenchmarkStream folds the job's whole stream and measures what an event costs and what an account then is: heap is the
// memory it really takes, size what Size says, bytes its encoding; encode and load are what these take.
func BenchmarkStream(b *testing.B) {
	text, err := os.ReadFile("../../config/checklists/bench.yaml")
	require.NoError(b, err)
	off := "dedupe: {horizon: 0}\nactivity: {users: 0}"
	require.Contains(b, string(text), off)
	for _, c := range []struct{ name, definition string }{
		{"job", string(text)}, {"memory", strings.Replace(string(text), off, "", 1)},
	} {
		b.Run(c.name, func(b *testing.B) {
			for range b.N {
				streamOnce(b, engine(b, c.definition))
			}
		})
	}
}

func streamOnce(b *testing.B, e *account.Engine) {
	m, states := newMix(), make([]*account.State, streamAccounts)
	e = e.Wanting(func(t account.Type) bool { return t != account.SignedUp && t != account.StepDone }, false) // as the job
	f := e.Folder()
	folding, allocs, allocated := time.Duration(0), uint64(0), uint64(0)
	for more := true; more; {
		more = m.next()
		n, size := counted()
		start := time.Now()
		for i := range m.events {
			number := m.accounts[i]
			if states[number] == nil {
				states[number] = e.New(m.ids[number], int64(m.made))
			}
			f.Apply(states[number], &m.events[i],
				account.Position{Topic: "usage-events", Partition: 3, Offset: int64(m.made-streamBatch+i) / 8}, 0)
		}
		folding += time.Since(start)
		n2, size2 := counted()
		allocs, allocated = allocs+n2-n, allocated+size2-size
	}
	perEvent := func(n float64, unit string) { b.ReportMetric(n/streamEvents, unit) }
	perEvent(float64(folding.Nanoseconds()), "ns/event")
	perEvent(float64(allocs), "allocs/event")
	perEvent(float64(allocated), "B/event")
	streamCodec(b, e, states)
	with := heap()
	clear(states)
	b.ReportMetric(float64(with-heap())/streamAccounts, "heap/account")
	runtime.KeepAlive(m)
	runtime.KeepAlive(states)
}

func streamCodec(b *testing.B, e *account.Engine, states []*account.State) {
	perAccount := func(n float64, unit string) { b.ReportMetric(n/streamAccounts, unit) }
	size, start, encoded, ends := 0, time.Now(), make([]byte, 0, 64<<20), []int{0}
	for _, s := range states {
		encoded, _ = s.AppendBinary(encoded)
		ends = append(ends, len(encoded))
	}
	perAccount(float64(time.Since(start).Nanoseconds()), "encode-ns")
	perAccount(float64(len(encoded)), "encoded-B")
	start = time.Now()
	for range 10 {
		for _, s := range states {
			size += s.Size()
		}
	}
	perAccount(float64(time.Since(start).Nanoseconds())/10, "size-ns")
	perAccount(float64(size)/10, "size-B")
	runtime.GC()
	n, allocated := counted()
	start = time.Now()
	for i, s := range states {
		if _, err := e.Load(s.AccountID(), encoded[ends[i]:ends[i+1]]); err != nil {
			b.Fatal(err)
		}
	}
	perAccount(float64(time.Since(start).Nanoseconds()), "load-ns")
	n2, allocated2 := counted()
	perAccount(float64(n2-n), "load-allocs")
	perAccount(float64(allocated2-allocated), "load-alloc-B")
}

func randomUUID(r *rand.Rand) string {
	a, b := r.Uint64(), r.Uint64()
	return fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", uint32(a), uint16(a>>32), uint16(a>>48), uint16(b), b>>16)
}
