package stream

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/state"
	"github.com/pqlstream/pqlstream/pkg/state/memstate"
)

// broken is a rule of the protocol that a model run leaves out, to see that it would be noticed.
type broken int

const (
	nothingBroken              broken = iota
	emissionWithNewerWatermark        // an emission's commit record holds the watermark of now
	clockWithoutCheckpoint            // what the clock led to is emitted without the time that it was
	emissionWithoutState              // an emission holds the outputs, not the states that made them
	lazyOutputLeftBehind              // an emission holds the states, not all outputs that they made
	lazyOutputBesideItsState          // an emission holds all outputs, not all states that made them
	unownedOutputWithoutOffset        // output that no entity owns is committed as an emission
	replayIgnoresApplied              // what is folded again is not skipped where the state has it already
	unconfirmedTakenForAborted        // after a commit of unknown outcome the cache is rolled back and used
	uncommittedEvicted                // the cache drops what is not in the mirror yet
	takeoverWithoutDelta              // the mirror is used as it stands
	tombstoneInEmission               // an emission takes a tombstone along
	staleMirrorKept                   // the mirror is brought forward by a delta that misses cleaned tombstones
	gatheredBesideEmissions           // a processor that gathers has emissions as well
	cacheOutlivesTakeover             // a takeover goes on with the processor that there was
	listsOfDeltaLeftOut               // what a takeover brings to the mirror says nothing of lists
	changedListsKept                  // a commit says nothing of lists
	formerListsKept                   // a takeover under another definition takes the lists that there are
	commitRecordBelieved              // what the mirror was built under is taken from the newest commit record
)

// model is one partition's life without brokers: a real task with its table, cache and mirror, a log of input records,
// and a changelog that is a list. What is random is drawn from the seed alone.
type model struct {
	random *rand.Rand
	broken broken

	input   []*kgo.Record
	store   *memstate.Store
	saved   memstate.Snapshot // of the store
	log     []logEntry        // the changelog's committed records
	end     int64             // the changelog's next position
	from    checkpoint        // of its newest commit record
	out     []string          // committed outputs
	dead    []string
	told    map[string]int64 // what a gatherer has published, by key
	gathers bool             // the processor is a gatherer
	proc    Processor
	shift   int64 // of the scores on lists: the owner's definition
	named   int64 // that of the newest commit record but claims
	cleaned int64 // the changelog has no tombstones below this position
	fetch   int   // index of the next input record
	tick    tick
	ticked  bool // a commit that is confirmed holds what the tick did
	task    *task
	jobs    []mirrorJob // confirmed, not in the mirror
	token   int64
	trouble error
}

type logEntry struct {
	offset int64
	entry  state.Entry
}

// modelLimit is how many bytes a state may take: a few paddings.
const modelLimit = 300

var modelPartition = state.Partition{Stage: "model", Topic: "in"}

func newModel(seed uint64, b broken) *model {
	m := &model{random: rand.New(rand.NewPCG(seed, 1)), broken: b, store: memstate.New(countLists...), told: map[string]int64{}}
	m.gathers = m.random.IntN(3) == 0
	m.input = m.records()
	m.tick = tick{before: m.random.IntN(2 * len(m.input))} // half of them never
	for _, r := range m.input[:min(m.tick.before, len(m.input))] {
		if in, err := parseCounterRecord(r); err == nil {
			m.tick.at = max(m.tick.at, in.time+150)
		}
	}
	return m
}

// records makes an input in which keys, times and commands mix.
func (m *model) records() (rs []*kgo.Record) {
	offset, now := int64(0), int64(1000)
	for i := range 10 + m.random.IntN(50) {
		offset += 1 + int64(m.random.IntN(8)/7) // now and then a marker lies between
		now += int64(m.random.IntN(40))
		at, key, command := now-int64(m.random.IntN(60)), fmt.Sprint("k", m.random.IntN(6)), ""
		switch m.random.IntN(24) {
		case 0, 1, 2, 3, 4, 5:
			command = ",timer"
		case 6:
			command = ",unowned"
		case 7:
			command = ",bad"
		case 8:
			command = ",reject"
		case 9:
			command = ",ignore"
		case 10:
			key, command = fmt.Sprint("big", i), ",big"
		case 11, 12:
			command = ",pad,------------------------------------------------------------"
		case 13, 14:
			command = ",stub"
		case 15:
			command = ",erase"
		}
		if m.gathers && (strings.HasPrefix(command, ",pad") || command == ",big") {
			command = "" // what a fold is taken back of a gatherer does not hear of
		}
		rs = append(rs, &kgo.Record{Topic: "in", Offset: offset, Key: []byte(key), Value: fmt.Appendf(nil, "%d%s", at, command)})
	}
	return rs
}

func (m *model) disorder() int64 { return int64(len(m.input)%2) * 30 }

// run plays a schedule to its end and says what is wrong with what came of it.
func (m *model) run() error {
	m.takeOver()
	for m.trouble == nil && m.fetch < len(m.input) {
		switch m.random.IntN(12) {
		case 0, 1, 2, 3:
			m.fold(1 + m.random.IntN(8))
		case 4, 5:
			m.commit(false)
		case 6, 7:
			m.commit(true)
		case 8, 9:
			m.mirror()
		case 10:
			m.evict()
		case 11:
			if m.random.IntN(3) == 0 {
				m.takeOver() // a crash, or another owner
			}
		}
		m.failed(m.task.table.miscounted())
	}
	for m.trouble == nil && !m.finish() {
		m.fold(len(m.input))
	}
	return m.compare()
}

// miscounted says where the sizes that a table keeps differ from those of its entities.
func (t *table) miscounted() error {
	size, written, dirty := 0, 0, 0
	for _, e := range t.entities {
		if e.size > 0 {
			size += e.size + entitySize + len(e.key)
		}
		if e.dirty {
			written += e.size
			dirty++
		}
		if e.state == nil && (e.size != 0 || e.timer != 0 || e.applied != 0) {
			return fmt.Errorf("%s has no state, but size %d, timer %d, applied %d", e.key, e.size, e.timer, e.applied)
		}
	}
	if size != t.size || written != t.written || dirty != len(t.dirty) {
		return fmt.Errorf("the states take %d bytes and %d of %d dirty ones, the table says %d and %d of %d", size, written, dirty, t.size, t.written, len(t.dirty))
	}
	return nil
}

// clock is what the wall clock says when the input has been read, far behind all timers; in every other model it is not
// looked at.
func (m *model) clock() int64 { return int64(len(m.input)/2%2) * 100_000 }

// finish lets time pass and commits everything. It says whether that was confirmed.
func (m *model) finish() bool {
	if m.fetch < len(m.input) {
		return false
	}
	if m.failed(m.task.passTime(context.Background(), m.clock())); m.random.IntN(2) == 0 {
		m.commit(false)
		return false
	}
	before := m.task
	m.commit(true)
	return m.task == before
}

// takeOver makes a new task from nothing but what is committed.
func (m *model) takeOver() {
	ctx := context.Background()
	m.token, m.jobs = m.end, nil
	m.end++ // the claim's commit record
	if m.proc == nil || m.broken != cacheOutlivesTakeover {
		m.shift = int64(m.random.IntN(3) / 2) // mostly one definition, now and then another
		m.proc = m.processor()
	}
	m.task = modelTask(m.proc, "in", 0, m.from)
	m.task.dueAtOnce = 1 + m.random.IntN(4)
	m.task.table.disorder, m.task.table.maxValue = m.disorder(), modelLimit
	if m.token == 0 {
		m.task.table.evicted = &keySet{}
	}
	m.restartStore()
	mirror := m.store.Open(modelPartition, m.token)
	status, err := mirror.Claim(ctx)
	if m.random.IntN(4) == 0 {
		m.clean()
	}
	stale := status.Position < m.cleaned && m.broken != staleMirrorKept
	switch {
	case err != nil:
	case !status.Exists || stale || m.outdated(status) || m.random.IntN(10) == 0: // some are lost
		err = mirror.Rebuild(ctx, m.end, m.definition(), func(yield func([]state.Entry, error) bool) { yield(m.since(0), nil) })
	case m.broken == takeoverWithoutDelta:
		err = mirror.Apply(ctx, state.Chunk{From: status.Position, To: m.end})
	default:
		err = mirror.Apply(ctx, state.Chunk{From: status.Position, To: m.end, Entries: m.since(status.Position)})
	}
	m.task.mirror = newMirrorWriter(mirror, m.end, nil, func(error) {})
	m.failed(err)
	m.fetch = slices.IndexFunc(m.input, func(r *kgo.Record) bool { return r.Offset >= m.from.next })
	if m.fetch < 0 {
		m.fetch = len(m.input)
	}
}

// restartStore saves the store now and then, and brings back what was saved.
func (m *model) restartStore() {
	switch m.random.IntN(10) {
	case 0, 1, 2:
		m.saved = m.store.Snapshot()
	case 3:
		m.store.Restore(m.saved)
	}
}

func (m *model) definition() string { return fmt.Sprint("shift by ", m.shift) }

// outdated says whether a mirror has the lists of another definition.
func (m *model) outdated(status state.Status) bool {
	switch m.broken {
	case formerListsKept:
		return false
	case commitRecordBelieved:
		return m.named != m.shift
	}
	return status.Definition != m.definition()
}

// modelTask is a task that runs, without brokers and mirror.
func modelTask(proc Processor, topic string, partition int32, from checkpoint) *task {
	r := &Runtime{o: Options{CacheStates: 1 << 20, CacheBytes: 1 << 30}, hurry: make(chan struct{}, 1)}
	t := &task{r: r, proc: proc, wake: make(chan struct{}, 1), phase: running, dueAtOnce: 1, checkpointAt: time.Unix(0, 0)}
	t.table = newTable(proc, topic, partition, from)
	t.table.maxValue = defaultMaxRecord
	t.table.deadLetter = func(r *kgo.Record, reject *Reject) (Output, error) {
		return Output{Topic: "dead", Key: bytes.Clone(r.Key), Value: []byte(reject.Code)}, nil
	}
	return t
}

func (m *model) processor() Processor {
	if m.gathers {
		g := newGatherer()
		g.shift = m.shift
		return g
	}
	return &counter{every: 3, limit: modelLimit, shift: m.shift}
}

// clean compacts the changelog and takes its tombstones out: so much time has passed.
func (m *model) clean() {
	newest := map[string]int64{}
	for _, l := range m.log {
		newest[l.entry.Key] = l.offset
	}
	m.log = slices.DeleteFunc(m.log, func(l logEntry) bool { return l.entry.Value == nil || l.offset < newest[l.entry.Key] })
	m.cleaned = m.token
}

// since returns the changelog's entries from a position on.
func (m *model) since(position int64) (entries []state.Entry) {
	for _, l := range m.log {
		if l.offset < position {
			continue
		}
		if m.broken == replayIgnoresApplied && l.entry.Value != nil {
			_, encoded, _ := Unwrap(l.entry.Value)
			l.entry.Value = append(appendEnvelope(nil, 0), encoded...)
		}
		e, err := m.task.entry(&kgo.Record{Key: []byte(l.entry.Key), Value: l.entry.Value})
		m.failed(err)
		if m.broken == listsOfDeltaLeftOut {
			e.Relisted = false
		}
		entries = append(entries, e)
	}
	return entries
}

func (m *model) failed(err error) {
	if m.trouble == nil {
		m.trouble = err
	}
}

func (m *model) fold(n int) {
	if !m.ticked && m.fetch <= m.tick.before && m.tick.before < len(m.input) {
		if m.fetch == m.tick.before {
			m.idle()
			return
		}
		n = min(n, m.tick.before-m.fetch)
	}
	n = min(n, len(m.input)-m.fetch)
	m.failed(m.task.fold(context.Background(), m.input[m.fetch:m.fetch+n]))
	m.fetch += n
	if m.broken == changedListsKept {
		for _, e := range m.task.table.dirty {
			m.task.table.relisted(e)
		}
	}
}

// idle lets the clock move time on and commits what came of it; where that is not confirmed it may have to be done again.
func (m *model) idle() {
	task := m.task
	m.failed(task.passTime(context.Background(), m.tick.at))
	if m.broken == clockWithoutCheckpoint {
		task.table.unowned, task.urgent = false, false
	}
	m.commit(m.random.IntN(2) == 0)
	m.ticked = m.task == task || m.from.eventTime >= m.tick.at
	m.tick.moved = m.task.table.now.eventTime >= m.tick.at
}

// commit makes one commit whose outcome is drawn: confirmed, or not confirmed and either committed or aborted.
func (m *model) commit(full bool) {
	t := m.task.table
	if m.broken == unownedOutputWithoutOffset {
		t.disown()
	}
	if m.broken == tombstoneInEmission && !m.task.urgent && !slices.ContainsFunc(t.outputs, unownedOutput) {
		t.disown()
	}
	if m.broken == gatheredBesideEmissions && !full && !t.unowned {
		t.flusher = nil
	}
	before, now := t.saved, t.now
	p, err := m.task.cut(time.Time{}, full, &room{})
	if t.flusher, _ = t.proc.(Flusher); err != nil || p == nil {
		m.failed(err)
		return
	}
	emission := p.checkpoint == before && before != now
	if emission && m.broken == emissionWithNewerWatermark {
		p.checkpoint.eventTime = now.eventTime
	}
	if emission && m.broken == emissionWithoutState {
		p.entries, p.owners = nil, nil
	}
	if emission && m.broken == lazyOutputLeftBehind {
		p.outputs = slices.DeleteFunc(p.outputs, func(o Output) bool { return o.Lazy })
	}
	if emission && m.broken == lazyOutputBesideItsState {
		p.outputs = append(p.outputs, t.publish(true)...)
	}
	outcome := m.random.IntN(8)
	if outcome != 0 {
		m.append(p)
	}
	switch {
	case outcome > 1:
		m.jobs = append(m.jobs, p.mirrorJob())
	case m.broken == unconfirmedTakenForAborted:
		m.rollBack(p, before)
	default:
		m.takeOver()
	}
}

// disown has the next commit be an emission, whatever it holds.
func (t *table) disown() {
	t.unowned = false
	for i, e := range t.makers {
		if e == nil {
			t.makers[i] = &entity{eager: true}
		}
	}
}

func unownedOutput(o Output) bool { return o.Topic == "dead" || string(o.Key) == "unowned" }

// append commits a part: outputs, states and commit record, whole.
func (m *model) append(p *part) {
	for _, o := range p.outputs {
		s := fmt.Sprintf("%s=%s", o.Key, o.Value)
		switch o.Topic {
		case "dead":
			m.dead = append(m.dead, s)
		case "told":
			n, _ := strconv.ParseInt(string(o.Value), 10, 64)
			m.told[string(o.Key)] += n
		default:
			m.out = append(m.out, s)
		}
	}
	for _, e := range p.entries {
		m.log = append(m.log, logEntry{m.end, e})
		p.states = append(p.states, kgo.Record{Offset: m.end})
		m.end++
	}
	p.record = kgo.Record{Offset: m.end}
	m.end += 2 // and the marker
	m.from, m.named = p.checkpoint, m.shift
}

// rollBack does what seems natural after an abort: what was taken out is put back.
func (m *model) rollBack(p *part, before checkpoint) {
	t := m.task.table
	later := t.outputs
	t.outputs, t.makers, t.output, t.eagerOutputs, t.saved = nil, nil, 0, 0, before
	var maker *entity
	if t.unowned = len(p.owners) == 0; !t.unowned {
		maker = p.owners[0]
	}
	t.add(maker, append(p.outputs, later...)...)
	for _, e := range p.owners {
		e.unmirrored--
		if !e.dirty {
			e.dirty = true
			t.dirty = append(t.dirty, e)
		}
		if !e.eager {
			e.eager = true
			t.eager = append(t.eager, e)
		}
	}
}

// mirror brings the oldest confirmed commit to the mirror.
func (m *model) mirror() {
	if len(m.jobs) == 0 {
		return
	}
	m.failed(m.task.mirror.apply(context.Background(), m.jobs[0]))
	m.task.mirrored(m.jobs[0].owners)
	m.jobs = m.jobs[1:]
}

func (m *model) evict() {
	t := m.task.table
	if m.broken == uncommittedEvicted {
		for _, e := range t.ring {
			e.dirty, e.unmirrored = false, 0
		}
	}
	t.evict(m.random.IntN(3), 1<<30)
}

// compare says how what is committed differs from the truth.
func (m *model) compare() error {
	if m.trouble != nil {
		return m.trouble
	}
	want := truthOf(m.input, 3, m.disorder(), modelLimit, m.tick)
	want.pass(m.clock(), m.disorder())
	states := map[string]count{}
	for _, l := range m.log {
		if l.entry.Value == nil {
			delete(states, l.entry.Key)
			continue
		}
		_, encoded, err := Unwrap(l.entry.Value)
		if err != nil {
			return err
		}
		s, err := m.task.proc.LoadState("", encoded)
		if err != nil {
			return err
		}
		states[l.entry.Key] = *s.(*count)
	}
	for _, c := range []struct {
		what      string
		want, got []string
	}{{"outputs", byEntity(want.out), byEntity(m.out)}, {"dead letters", want.dead, m.dead}, {"states", describe(want.states), describe(states)}} {
		if !slices.Equal(c.want, c.got) {
			return fmt.Errorf("%s are\n%q, should be\n%q", c.what, c.got, c.want)
		}
	}
	for len(m.jobs) > 0 {
		m.mirror()
	}
	if want, got := listsOf(m.shift, want.states), listsIn(m.store, modelPartition); !maps.Equal(want, got) {
		return fmt.Errorf("lists are\n%q, should be\n%q", got, want)
	}
	return m.compareGathered(want.folds, states)
}

// compareGathered says how what a gatherer has told differs from the truth.
func (m *model) compareGathered(want map[string]int64, states map[string]count) error {
	if !m.gathers {
		return nil
	}
	if !maps.Equal(want, m.told) {
		return fmt.Errorf("told is %v, should be %v", m.told, want)
	}
	for key, s := range states {
		if s.told != s.n {
			return fmt.Errorf("the state of %s says that %d of %d records were told", key, s.told, s.n)
		}
	}
	return nil
}
