package sql_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/rollup"
)

// metrics is both sides of package rollup as their stages run them: facts by partition, batches in any order, checkpoints at any
// moment, and states that are loaded anew now and then.
type metrics struct {
	t         *testing.T
	rng       *rand.Rand
	settings  *rollup.Settings
	measures  [partitions]*rollup.Measure
	histories []*rollup.History // of the accounts
	folded    int
	batches   []batch // on their way

	rollup      *rollup.Rollup
	watermark   int64
	directories map[string]*rollup.Directory // by grouping
	entities    map[string]*held
	order       []*held // in which they came
	encoder     *codec.MetricEncoder
	rows        map[string][]byte // the newest of each key, as the topic holds it
	written     int
	restated    map[string]int // rows written by what has restated them
	lost        int64
}

type batch struct {
	grouping string
	bytes    []byte
}

// entity is a rollup.Series or a rollup.Span.
type entity interface {
	Apply(changes []rollup.Change, watermark int64) int64
	Pass(watermark int64) bool
	NextTimer() int64
	Expired() bool
	Rows(emit func(*rollup.Row))
	AppendBinary(b []byte) ([]byte, error)
}

type held struct {
	entity
	key   string
	due   int64
	dirty bool // it may have rows to tell
	gone  bool // it has expired
}

func newMetrics(t *testing.T, accounts int, s *rollup.Settings, l rollup.Limits) *metrics {
	m := &metrics{
		t: t, rng: rand.New(rand.NewPCG(2, 3)), settings: s, histories: make([]*rollup.History, accounts),
		directories: map[string]*rollup.Directory{}, entities: map[string]*held{}, rows: map[string][]byte{}, restated: map[string]int{},
	}
	var err error
	for i := range m.measures {
		m.measures[i], err = rollup.NewMeasure(s)
		require.NoError(t, err)
	}
	m.rollup, err = rollup.NewRollup(s, l)
	require.NoError(t, err)
	m.encoder, err = codec.NewMetricEncoder(codec.Avro, 1)
	require.NoError(t, err)
	for _, dimensions := range s.Groupings {
		name := rollup.GroupingName(dimensions)
		m.directories[name], err = m.rollup.Directory(rollup.DirectoryKey(name), nil)
		require.NoError(t, err)
	}
	return m
}

// fold takes in a fact of an account.
func (m *metrics) fold(account, partition int, f *rollup.Fact) {
	h := m.histories[account]
	if h == nil {
		h = &rollup.History{}
		m.histories[account] = h
	}
	if m.folded++; m.folded%53 == 0 {
		encoded, err := h.AppendBinary(nil)
		require.NoError(m.t, err)
		h, err = rollup.LoadHistory(encoded)
		require.NoError(m.t, err)
		m.histories[account] = h
	}
	m.measures[partition].Fold(h, f)
	if h.Empty() {
		m.histories[account] = nil
	}
	if m.rng.IntN(3000) == 0 {
		m.flush(partition)
	}
}

func (m *metrics) flush(partition int) {
	m.measures[partition].Flush(func(grouping string, b []byte) { m.batches = append(m.batches, batch{grouping, b}) })
}

// pass hands on what is on its way, lets time pass to the watermark, and takes most rows that there are to tell; with all, all of them.
func (m *metrics) pass(watermark int64, all bool) {
	for i := range m.measures {
		m.flush(i)
	}
	m.rng.Shuffle(len(m.batches), func(i, j int) { m.batches[i], m.batches[j] = m.batches[j], m.batches[i] })
	for _, b := range m.batches {
		m.deliver(b)
	}
	m.batches = m.batches[:0]
	m.watermark = watermark
	for _, e := range m.order {
		if e.due != 0 && e.due <= watermark {
			m.fire(e)
		}
		if e.dirty && (all || m.rng.IntN(4) > 0) {
			m.checkpoint(e)
		}
	}
	m.order = slices.DeleteFunc(m.order, func(e *held) bool { return e.gone })
	for _, d := range m.directories {
		d.Rows(m.take)
	}
}

func (m *metrics) deliver(b batch) {
	deltas, err := rollup.DecodeBatch(nil, b.bytes)
	require.NoError(m.t, err)
	parcels, _ := m.directories[b.grouping].Take(deltas, m.watermark)
	for _, p := range parcels {
		changes, err := rollup.DecodeChanges(nil, rollup.AppendChanges(nil, p.Changes))
		require.NoError(m.t, err)
		e := m.entities[p.Key]
		if e == nil {
			e = &held{entity: m.load(p.Key, nil), key: p.Key}
			m.entities[p.Key] = e
			m.order = append(m.order, e)
		}
		m.lost += e.Apply(changes, m.watermark)
		e.due, e.dirty = e.NextTimer(), true
	}
}

func (m *metrics) load(key string, b []byte) entity {
	if rollup.KindOf(key) == rollup.SeriesEntity {
		s, err := m.rollup.Series(key, b)
		require.NoError(m.t, err)
		return s
	}
	s, err := m.rollup.Span(key, b)
	require.NoError(m.t, err)
	return s
}

func (m *metrics) fire(e *held) {
	e.Pass(m.watermark)
	e.due, e.dirty = e.NextTimer(), true
	if e.Expired() {
		e.Rows(m.take)
		e.dirty, e.gone = false, true
		delete(m.entities, e.key)
	}
}

// checkpoint takes the rows of an entity, which then may be loaded by another owner.
func (m *metrics) checkpoint(e *held) {
	e.Rows(m.take)
	e.dirty = false
	if m.rng.IntN(20) == 0 {
		encoded, err := e.AppendBinary(nil)
		require.NoError(m.t, err)
		e.entity = m.load(e.key, encoded)
	}
}

func (m *metrics) take(r *rollup.Row) {
	m.rows[r.Key()] = m.encoder.AppendRow(nil, r)
	m.written++
	if r.Restated != "" {
		m.restated[r.Restated]++
	}
}
