package stream

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

// brokenTime is a rule about time between stages that a run leaves out, to see that it would be noticed.
type brokenTime int

const (
	timeWhole         brokenTime = iota
	toldBeforeFired              // a watermark is told on while what is due by then has not fired
	disorderTwice                // a later stage allows for disorder again
	marksBeforeOutput            // marks lie before the outputs of what was folded up to them
	ownInputCounts               // a stage waits to be told of its own input
)

// pipeline is three stages in a row, without brokers: first reads sources and tells both others the time; middle is told,
// forwards half of what first writes, each event of a key at once and now and then once more by a timer, and tells
// last; last only looks. All of them commit and crash at any moment.
type pipeline struct {
	random *rand.Rand
	broken brokenTime
	logs   map[topicPartition][]*kgo.Record
	parts  []*stagePart
}

// stagePart is one partition of a stage.
type stagePart struct {
	p         *pipeline
	tp        topicPartition
	processor func() Processor
	told      bool

	from   checkpoint
	states map[string][]byte // committed
	task   *task
	seen   map[string]int64 // of last: events by id
}

const (
	stageDisorder = 60_000
	stageTimer    = 20_000
)

// stageProc is the processor of all three. A value is "event time,event id" or a mark; an id with an m goes by way of middle.
type stageProc struct {
	stage     string
	partition int32
	slots     []string
	seen      map[string]int64
}

var stageSources = []Source{{"source", 2}, {"middle", 2}}

func (s *stageProc) Decode(i int, r *kgo.Record) (Route, error) {
	for len(s.slots) <= i {
		s.slots = append(s.slots, "")
	}
	if r.Key == nil {
		m := &Mark{}
		return Route{Mark: m}, json.Unmarshal(r.Value, m)
	}
	s.slots[i] = string(r.Value)
	at, _, _ := strings.Cut(s.slots[i], ",")
	time, err := strconv.ParseInt(at, 10, 64)
	if s.stage == "source" {
		return Route{EventTime: time}, err
	}
	return Route{Key: r.Key, EventTime: time}, err
}

func (s *stageProc) Fold(i int, t *Turn) error {
	at, id, _ := strings.Cut(s.slots[i], ",")
	to := Output{Topic: "last", Key: bytes.Clone(t.Record.Key), Value: bytes.Clone(t.Record.Value)}
	switch s.stage {
	case "source":
		if strings.Contains(id, "m") {
			to.Topic, to.Partition = "middle", int32(t.Record.Key[1]%2)
		}
		t.Emit(to)
	case "middle":
		time, _ := strconv.ParseInt(at, 10, 64)
		c := t.State.(*count)
		if c.n++; c.due == 0 && strings.Contains(id, "t") {
			c.due, c.digest = time+stageTimer, c.n
		}
		t.Changed()
		if !strings.Contains(id, "t") { // so that not every commit is an emission
			t.Emit(to)
		}
	default:
		t.State.(*count).n++
		t.Changed()
		s.seen[id]++
	}
	return nil
}

func (s *stageProc) Fire(t *Turn, due int64) error {
	c := t.State.(*count)
	c.due = 0
	t.Changed()
	t.Emit(Output{Topic: "last", Key: []byte("kT"), Value: fmt.Appendf(nil, "%d,timer %d of %d-%d", due, c.digest, s.partition, c.incarnation)})
	return nil
}

func (s *stageProc) NewState(_ string, incarnation int64) State {
	return &count{incarnation: incarnation}
}
func (s *stageProc) LoadState(key string, value []byte) (State, error) {
	return new(counter).LoadState(key, value)
}

// teller is a stageProc that tells the next stages.
type teller struct{ *stageProc }

func (s teller) Tell(watermark int64, _ bool) (marks []Output) {
	value, _ := json.Marshal(Mark{Topic: s.stage, Partition: s.partition, Watermark: watermark, AsOf: 1, Sources: stageSources})
	for partition := range int32(2) {
		if s.stage == "source" {
			marks = append(marks, Output{Topic: "middle", Partition: partition, Value: value})
		}
	}
	return append(marks, Output{Topic: "last", Value: value})
}

func newPipeline(seed uint64, b brokenTime) *pipeline {
	p := &pipeline{random: rand.New(rand.NewPCG(seed, 7)), broken: b, logs: map[topicPartition][]*kgo.Record{}}
	for partition := range int32(2) {
		p.publish(partition)
		for _, stage := range []string{"source", "middle"} {
			p.add(stage, partition, func() Processor { return teller{&stageProc{stage: stage, partition: partition}} })
		}
	}
	seen := map[string]int64{}
	p.add("last", 0, func() Processor { return &stageProc{stage: "last", seen: seen} })
	p.parts[len(p.parts)-1].seen = seen
	return p
}

func (p *pipeline) add(stage string, partition int32, processor func() Processor) {
	x := &stagePart{p: p, tp: topicPartition{stage, partition}, processor: processor, told: stage != "source", states: map[string][]byte{}}
	p.parts = append(p.parts, x)
	_ = x.takeOver() // of nothing: it can't fail
}

// publish fills a source: events in disorder, then one far ahead of all timers.
func (p *pipeline) publish(partition int32) {
	tp, now := topicPartition{"source", partition}, int64(100_000)
	for i := range 10 + p.random.IntN(30) {
		now += p.random.Int64N(10_000)
		kind := []string{"m", "mt", "d"}[p.random.IntN(3)]
		p.write(tp, fmt.Sprint("k", p.random.IntN(4)), fmt.Appendf(nil, "%d,%s%d-%d", now-p.random.Int64N(stageDisorder), kind, partition, i))
	}
	p.write(tp, "k0", fmt.Appendf(nil, "%d,d%d-end", int64(2_000_000), partition))
}

func (p *pipeline) write(tp topicPartition, key string, value []byte) {
	r := &kgo.Record{Topic: tp.topic, Partition: tp.partition, Offset: int64(len(p.logs[tp])), Value: value}
	if key != "" {
		r.Key = []byte(key)
	}
	p.logs[tp] = append(p.logs[tp], r)
}

// run plays until everything has gone through, and says what is wrong.
func (p *pipeline) run() error {
	for range 100_000 {
		x := p.parts[p.random.IntN(len(p.parts))]
		var err error
		switch p.random.IntN(10) {
		case 0:
			err = x.commit(true)
		case 1, 2:
			err = x.commit(false)
		case 3:
			if p.random.IntN(8) == 0 {
				err = x.takeOver()
			}
		default:
			err = x.fold()
		}
		if err != nil {
			return err
		}
		if p.done() {
			return p.parts[len(p.parts)-1].compare()
		}
	}
	last := p.parts[len(p.parts)-1].task.table
	return fmt.Errorf("it comes to no end: the last stage's time is %d", last.now.eventTime)
}

// done says whether everything is committed and the last stage's time has come to where all sources are. A stage tells only
// once time has moved on by a little.
func (p *pipeline) done() bool {
	for _, x := range p.parts {
		if x.from.next < int64(len(p.logs[x.tp])) {
			return false
		}
	}
	return p.parts[len(p.parts)-1].task.table.now.eventTime > 2_000_000-stageDisorder-2*tellEvery
}

// compare says what has not come to the last stage.
func (x *stagePart) compare() error {
	for partition := range int32(2) {
		for _, r := range x.p.logs[topicPartition{"source", partition}] {
			_, id, _ := strings.Cut(string(r.Value), ",")
			if !strings.Contains(id, "t") && x.seen[id] == 0 {
				return fmt.Errorf("%s has not come", id)
			}
		}
	}
	return nil
}

func (x *stagePart) takeOver() error {
	x.task = modelTask(x.processor(), x.tp.topic, x.tp.partition, x.from)
	t := x.task.table
	t.evicted, t.told = &keySet{}, x.told
	if x.p.broken == ownInputCounts {
		t.turn.Topic = ""
	}
	if !x.told || x.p.broken == disorderTwice {
		t.disorder = stageDisorder
	}
	for key, value := range x.states {
		t.put(key)
		if err := t.fill(key, value); err != nil {
			return err
		}
	}
	return x.fire()
}

// fold folds a few records; a commit may come before what is due fires.
func (x *stagePart) fold() error {
	log, next := x.p.logs[x.tp], x.task.table.now.next
	records := log[next:min(next+1+x.p.random.Int64N(5), int64(len(log)))]
	if len(records) == 0 {
		return nil
	}
	ctx, t := context.Background(), x.task
	for _, step := range []func() error{
		func() error { return t.decode(ctx, records) },
		func() error { return t.load(ctx, records) },
		func() error { return t.foldSlots(records) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	if late := t.r.stats.Late.Load(); late > 0 {
		return fmt.Errorf("%s-%d has passed by %d events that were still on their way", x.tp.topic, x.tp.partition, late)
	}
	if x.p.random.IntN(3) == 0 {
		if err := x.commit(x.p.random.IntN(2) == 0); err != nil {
			return err
		}
	}
	return x.fire()
}

func (x *stagePart) fire() error {
	if x.p.broken == toldBeforeFired {
		x.task.table.fired = math.MaxInt64
	}
	err := x.task.fireDue(context.Background())
	if x.p.broken == toldBeforeFired {
		x.task.table.fired = math.MaxInt64
	}
	return err
}

// commit commits what there is; now and then its outcome is not known.
func (x *stagePart) commit(full bool) error {
	t := x.task.table
	if emission, progress := t.wants(); full && !progress || !full && !emission {
		return nil
	}
	c, err := t.cut(full)
	if err != nil {
		return err
	}
	outcome := x.p.random.IntN(10)
	if outcome > 0 {
		x.append(c)
	}
	if outcome < 2 {
		return x.takeOver()
	}
	t.mirrored(c.owners)
	return nil
}

func (x *stagePart) append(c *cut) {
	for pass := range 2 {
		for _, o := range c.outputs {
			first := o.Key != nil
			if x.p.broken == marksBeforeOutput {
				first = !first
			}
			if first == (pass == 0) {
				x.p.write(topicPartition{o.Topic, o.Partition}, string(o.Key), o.Value)
			}
		}
	}
	for _, e := range c.entries {
		x.states[e.Key] = e.Value
	}
	x.from = c.checkpoint
}

// A stage that is told the time and tells it on: the last stage's time never passes an event that is still on its way
// through the middle, whatever commits, fires and crashes there, and comes to where the sources are.
func TestTimeThroughThreeStages(t *testing.T) {
	t.Parallel()
	for seed := range uint64(pipelines) {
		require.NoError(t, newPipeline(seed, timeWhole).run(), "seed %d", seed)
	}
}

// The model notices when a rule is left out.
func TestThreeStagesNoticeBrokenRules(t *testing.T) {
	t.Parallel()
	for b, name := range map[brokenTime]string{
		toldBeforeFired:   "told before all has fired",
		disorderTwice:     "disorder allowed for twice",
		marksBeforeOutput: "marks before the outputs",
		ownInputCounts:    "a stage's own input counts",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(300) {
				if newPipeline(seed, b).run() != nil {
					return
				}
			}
			t.Fatal("300 runs did not notice it")
		})
	}
}
