package bench

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/app"
	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/pipeline"
	"github.com/pqlstream/pqlstream/pkg/stream"
	"github.com/pqlstream/pqlstream/pkg/usage"
	"github.com/pqlstream/pqlstream/test/bench/job"
)

// budgetFile holds what an event may cost that does not depend on the machine. `make bench-budget` writes it.
const budgetFile = "budget.json"

// tolerance is how far a figure may be from the budget's, as a share of it. Below, the budget no longer keeps anything.
const tolerance = 0.10

// budget is what the activation stage, from decoding records to encoding states, takes in memory and leaves in bytes.
type budget struct {
	Allocations float64 `json:"allocations_per_event"`
	Allocated   float64 `json:"bytes_allocated_per_event"`
	Changelog   float64 `json:"changelog_bytes_per_event"` // keys and values, before they are compressed
	State       float64 `json:"changelog_bytes_per_state"`
	Output      float64 `json:"output_bytes_per_pql"`
	Loads       float64 `json:"allocations_per_load"` // of a state that was encoded
	Loaded      float64 `json:"bytes_allocated_per_load"`
}

// TestBudgetOfBytes is the part of TestBudget that the race detector leaves as it is.
func TestBudgetOfBytes(t *testing.T) {
	got, want := newWork(t).measure(), readBudget(t)
	requireWithin(t, got.bytes(), want.bytes())
}

// figure is one figure of a budget.
type figure struct {
	name  string
	value float64
}

func (b *budget) bytes() []figure {
	return []figure{{"bytes to the changelog an event", b.Changelog}, {"bytes of a state in the changelog", b.State}, {"bytes of a PQL event", b.Output}}
}

func (b *budget) allocations() []figure {
	return []figure{{"allocations an event", b.Allocations}, {"bytes allocated an event", b.Allocated},
		{"allocations to load a state", b.Loads}, {"bytes allocated to load a state", b.Loaded}}
}

func readBudget(t *testing.T) (b *budget) {
	text, err := os.ReadFile(budgetFile)
	require.NoError(t, err, "run `make bench-budget`")
	require.NoError(t, json.Unmarshal(text, &b))
	return b
}

// requireWithin fails for each figure that is not within its budget.
func requireWithin(t *testing.T, got, want []figure) {
	for i, f := range got {
		if problem := compare(f.name, f.value, want[i].value); problem != "" {
			t.Error(problem)
		}
	}
}

// compare says what is wrong with a figure; nothing when it is within its budget.
func compare(name string, got, want float64) string {
	switch {
	case got > want*(1+tolerance):
		return fmt.Sprintf("%s: %.3f, the budget is %.3f: find what has become dearer; if it is worth it, run `make bench-budget` and commit %s",
			name, got, want, budgetFile)
	case got < want*(1-tolerance):
		return fmt.Sprintf("%s: %.3f, the budget is %.3f: that is better; run `make bench-budget` and commit %s to keep it so", name, got, want, budgetFile)
	}
	return ""
}

func TestBudgetTellsWorseFromBetter(t *testing.T) {
	require.Empty(t, compare("x", 1.09, 1))
	require.Empty(t, compare("x", 0.91, 1))
	require.Contains(t, compare("x", 1.11, 1), "dearer")
	require.Contains(t, compare("x", 0.89, 1), "better")
}

const (
	budgetEvents   = 100_000
	budgetAccounts = 5_000
	chunk          = 256    // records that are decoded before they are folded
	checkpoint     = 20_000 // records after which states are encoded
)

// work is the stage without Kafka: a processor, records, and the states between them.
type work struct {
	t        *testing.T
	records  []*kgo.Record
	proc     stream.Processor
	routes   []stream.Route
	entities map[string]*entity
	dirty    []*entity
	buffer   []byte
	turn     stream.Turn

	written, states, published, pqls int
}

type entity struct {
	key   string
	state stream.State
	dirty bool
}

func newWork(t *testing.T) *work {
	rules, err := app.LoadChecklist(checklistFile)
	require.NoError(t, err)
	in, err := codec.NewInput(codec.Avro, usage.CanonicalMapping(), codec.Schemas{job.SchemaID: job.Schema})
	require.NoError(t, err)
	facts, err := codec.NewFactEncoder(codec.Avro, 1)
	require.NoError(t, err)
	stage := &pipeline.Activation{Engine: account.NewEngine(rules), Input: in, Facts: facts, Events: "events", Escalations: true,
		FutureTolerance: 600_000, Now: func() int64 { return job.End }}
	w := &work{t: t, proc: stage.Processor("usage", 0), routes: make([]stream.Route, chunk), entities: map[string]*entity{}}
	for e := range job.Stream(1, budgetEvents, budgetAccounts) {
		w.records = append(w.records, &kgo.Record{Topic: input, Offset: int64(len(w.records)), Key: []byte(e.AccountID), Value: job.Append(nil, e)})
	}
	return w
}

// measure folds all records and returns what each took.
func (w *work) measure() *budget {
	allocations, allocated := counted(func() {
		for part := range slices.Chunk(w.records, checkpoint) {
			for records := range slices.Chunk(part, chunk) {
				w.fold(records)
			}
			w.encode()
		}
	})
	loads, loaded := w.load()
	require.Greater(w.t, w.pqls, 50, "hardly any account qualified: the figures show nothing")
	return &budget{
		Allocations: allocations / budgetEvents,
		Allocated:   allocated / budgetEvents,
		Changelog:   float64(w.written) / budgetEvents,
		State:       float64(w.written) / float64(w.states),
		Output:      float64(w.published) / float64(w.pqls),
		Loads:       loads / float64(len(w.entities)),
		Loaded:      loaded / float64(len(w.entities)),
	}
}

// counted returns how often something allocates, and how many bytes.
func counted(do func()) (allocations, bytes float64) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs - before.Mallocs), float64(after.TotalAlloc - before.TotalAlloc)
}

func (w *work) fold(records []*kgo.Record) {
	for slot, r := range records {
		route, err := w.proc.Decode(slot, r)
		require.NoError(w.t, err)
		w.routes[slot] = route
	}
	for slot, r := range records {
		if w.routes[slot].Ignore {
			continue
		}
		e := w.entity(w.routes[slot].Key, r.Offset)
		w.turn = stream.Turn{Topic: r.Topic, Offset: r.Offset, Watermark: job.End, Record: r, State: e.state}
		require.NoError(w.t, w.proc.Fold(slot, &w.turn))
		w.take(e)
	}
}

func (w *work) entity(key []byte, offset int64) *entity {
	e := w.entities[string(key)]
	if e == nil {
		e = &entity{key: string(key)}
		e.state = w.proc.NewState(e.key, offset)
		w.entities[e.key] = e
	}
	return e
}

func (w *work) take(e *entity) {
	changed, outputs := w.turn.Result()
	for _, o := range outputs {
		w.published += len(o.Key) + len(o.Value)
		w.pqls++
	}
	if (changed || len(outputs) > 0) && !e.dirty {
		e.dirty = true
		w.dirty = append(w.dirty, e)
	}
}

// encode writes the states that have changed, as a checkpoint does.
func (w *work) encode() {
	var err error
	for _, e := range w.dirty {
		w.buffer, err = e.state.AppendBinary(w.buffer[:0])
		require.NoError(w.t, err)
		w.written += len(e.key) + len(w.buffer)
		w.states++
		e.dirty = false
	}
	w.dirty = w.dirty[:0]
}

// load reads every state from its encoding.
func (w *work) load() (allocations, bytes float64) {
	keys, encoded := make([]string, 0, len(w.entities)), make([][]byte, 0, len(w.entities))
	for _, e := range w.entities {
		b, err := e.state.AppendBinary(nil)
		require.NoError(w.t, err)
		keys, encoded = append(keys, e.key), append(encoded, b)
	}
	return counted(func() {
		for i, key := range keys {
			_, err := w.proc.LoadState(key, encoded[i])
			require.NoError(w.t, err)
		}
	})
}
