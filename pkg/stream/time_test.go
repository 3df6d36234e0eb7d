package stream

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// toldCounter is a counter of a later stage: a record without a key is a mark.
type toldCounter struct{ counter }

func (c *toldCounter) Decode(i int, r *kgo.Record) (Route, error) {
	if len(r.Key) > 0 {
		return c.counter.Decode(i, r)
	}
	m := &Mark{}
	return Route{Mark: m}, json.Unmarshal(r.Value, m)
}

// later is a table of a later stage that is given records one by one.
type later struct {
	*table
	t    *testing.T
	next int64
}

func newLater(t *testing.T) *later {
	l := &later{t: t, table: newTable(&toldCounter{counter{every: 1000}}, "in", 0, checkpoint{})}
	l.told, l.maxValue = true, defaultMaxRecord
	return l
}

func (l *later) give(key string, value []byte) {
	l.t.Helper()
	r := &kgo.Record{Topic: "in", Offset: l.next, Value: value}
	l.next++
	if key != "" {
		r.Key = []byte(key)
	}
	route, err := l.proc.Decode(0, r)
	require.NoError(l.t, err)
	var e *entity
	if key != "" {
		if e = l.get(r.Key); e == nil {
			e = l.put(key)
		}
	}
	require.NoError(l.t, l.fold(0, r, route, nil, e))
}

func (l *later) event(key string, at int64, command string) {
	l.give(key, fmt.Appendf(nil, "%d%s", at, command))
}

func (l *later) mark(topic string, partition int32, watermark, asOf int64, sources ...Source) {
	value, err := json.Marshal(Mark{Topic: topic, Partition: partition, Watermark: watermark, AsOf: asOf, Sources: sources})
	require.NoError(l.t, err)
	l.give("", value)
}

func (l *later) time() int64 { return l.watermark(l.now.eventTime) }

// An account must not be declared inactive because one source partition was drained before the others: the least of all
// partitions decides, and those not heard of yet count.
func TestAttack12ALaggingSourceHoldsTimeBack(t *testing.T) {
	l, both := newLater(t), []Source{{"clicks", 2}, {"bills", 1}}
	l.event("a", 1000, ",timer") // due at 1100
	l.mark("clicks", 0, 900_000, 1, both...)
	l.event("b", 900_000, "")
	l.mark("bills", 0, 800_000, 1, both...)
	assert.Zero(t, l.time(), "clicks-1 has not been heard of")
	l.mark("clicks", 1, 1099, 1, both...)
	assert.Equal(t, int64(1099), l.time())
	l.event("a", 1050, "")
	assert.Empty(t, l.outputs, "not yet")
	l.mark("clicks", 1, 850_000, 1, both...)
	assert.Equal(t, int64(800_000), l.time())
	l.event("a", 1050, "")
	assert.Len(t, l.outputs, 1)
	l.mark("bills", 0, 700_000, 1, both...)
	assert.Equal(t, int64(800_000), l.time(), "it never goes back")
}

// A source that is retired holds nobody back once the newest process does not read it any more, and one that is new counts
// at once. What an older process still says of sources is out of date.
func TestAttack32SourcesComeAndGo(t *testing.T) {
	l, old, now := newLater(t), []Source{{"clicks", 1}, {"gone", 1}}, []Source{{"clicks", 1}, {"new", 2}}
	l.mark("clicks", 0, 500, 1, old...)
	l.mark("gone", 0, 100, 1, old...)
	assert.Equal(t, int64(100), l.time())
	l.mark("clicks", 0, 600, 2, now...)
	assert.Equal(t, int64(100), l.time(), "the new one has not been heard of")
	l.mark("gone", 0, 110, 1, old...)
	l.mark("new", 0, 550, 2, now...)
	assert.Equal(t, int64(100), l.time())
	l.mark("new", 1, 580, 2, now...)
	assert.Equal(t, int64(550), l.time())
}

// A newer process's sources are the ones; what is known of their partitions stays, also that one rests, which nobody tells again.
func TestAttack32WhatRestsGoesOnRestingUnderANewerProcess(t *testing.T) {
	l, sources := newLater(t), []Source{{"clicks", 2}}
	for partition, asOf := range []int64{1, 2} {
		value, err := json.Marshal(Mark{Topic: "clicks", Partition: int32(partition), AsOf: asOf, Resting: true, Sources: sources})
		require.NoError(t, err)
		l.give("", value)
	}
	l.mark("clicks", 1, 900, 3, append(sources, Source{"new", 1})...)
	assert.Zero(t, l.time(), "what is new has not been heard of")
	l.mark("new", 0, 1000, 3, append(sources, Source{"new", 1})...)
	assert.Equal(t, int64(900), l.time(), "clicks-0 rests")
}

// What has been told outlasts a takeover: it is in the commit record.
func TestATakeoverKnowsWhatTheStageBeforeHasSaid(t *testing.T) {
	l, sources := newLater(t), []Source{{"clicks", 2}}
	l.mark("clicks", 0, 500, 1, sources...)
	l.mark("clicks", 1, 300, 1, sources...)
	l.event("a", 1000, "")
	c, err := l.cut(true)
	require.NoError(t, err)
	l.mark("clicks", 1, 400, 1, sources...)
	emission, err := l.cut(false)
	require.NoError(t, err)
	assert.Equal(t, c.checkpoint, emission.checkpoint, "an emission repeats what the checkpoint knew")

	encoded, err := commitRecord{Offset: c.checkpoint.next, EventTime: c.checkpoint.eventTime, Sources: c.checkpoint.sources}.encode()
	require.NoError(t, err)
	record, err := parseCommitRecord(encoded)
	require.NoError(t, err)
	next := newTable(l.proc, "in", 0, checkpoint{record.Offset, record.EventTime, record.Sources})
	next.told = true
	assert.Equal(t, int64(300), next.now.eventTime)
	next.observe(&Route{Mark: &Mark{Topic: "clicks", Partition: 1, Watermark: 700, AsOf: 1, Sources: sources}})
	assert.Equal(t, int64(500), next.now.eventTime, "clicks-0 is still where it was")
}

// A first stage passes time by the clock only where it has read to the very end: markers are read, too, so that an input that
// ends with one is at its end; and a transaction that is not over holds records that nobody may read yet.
func TestAttack19OnlyTheVeryEndLetsTimePass(t *testing.T) {
	for name, c := range map[string]struct {
		position, next, high, stable int64
		idle                         bool
	}{
		"all is read, the last a marker":  {position: 7, next: 7, high: 7, stable: 7, idle: true},
		"nothing was ever there":          {idle: true},
		"a transaction is not over":       {position: 7, next: 7, high: 9, stable: 7},
		"what came is not folded yet":     {position: 7, next: 5, high: 7, stable: 7},
		"there is more than was answered": {position: 5, next: 5, high: 7, stable: 7},
	} {
		proc := &tellingCounter{counter: counter{every: 3}}
		x := &task{r: &Runtime{hurry: make(chan struct{}, 1)}, proc: proc, wake: make(chan struct{}, 1), phase: running, table: newTable(proc, "in", 0, checkpoint{next: c.next})}
		f := newFetcher(nil, 0, nil, nil)
		cur := &cursor{task: x, tp: topicPartition{"in", 0}, offset: c.position}
		f.cursors[cur.tp] = cur
		asked := time.UnixMilli(1_000_000)
		f.take(question{cursor: cur, from: c.position, asked: asked}, &kmsg.FetchResponseTopicPartition{
			HighWatermark: c.high, LastStableOffset: c.stable, DivergingEpoch: kmsg.FetchResponseTopicPartitionDivergingEpoch{Epoch: -1, EndOffset: -1},
		})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := x.next(ctx) // looks once
		require.ErrorIs(t, err, context.Canceled)
		want := int64(0)
		if c.idle {
			want = asked.UnixMilli()
		}
		assert.Equal(t, want, x.table.now.eventTime, name)
		assert.Equal(t, c.idle, x.table.unowned, "%s: the time is in the next checkpoint, which has to come first", name)
	}
}

// A partition that rests holds nobody back until the next mark from there; when all rest, time is that of the one that went furthest.
func TestWhatRestsHoldsNobodyBack(t *testing.T) {
	l, sources := newLater(t), []Source{{"clicks", 3}}
	rest := func(partition int32, watermark int64) {
		value, err := json.Marshal(Mark{Topic: "clicks", Partition: partition, Watermark: watermark, AsOf: 1, Resting: true, Sources: sources})
		require.NoError(t, err)
		l.give("", value)
	}
	rest(1, 0)
	l.mark("clicks", 0, 500, 1, sources...)
	assert.Zero(t, l.time(), "clicks-2 has not been heard of")
	l.mark("clicks", 2, 300, 1, sources...)
	assert.Equal(t, int64(300), l.time(), "clicks-1 rests")
	rest(2, 350)
	assert.Equal(t, int64(500), l.time())
	l.mark("clicks", 1, 550, 1, sources...)
	l.mark("clicks", 0, 600, 1, sources...)
	assert.Equal(t, int64(550), l.time(), "clicks-1 counts again")
	_, whose := l.now.sources.least()
	assert.Equal(t, topicPartition{"clicks", 1}, whose)
	rest(0, 620)
	rest(1, 700)
	assert.Equal(t, int64(700), l.time())
	_, whose = l.now.sources.least()
	assert.Zero(t, whose, "nobody holds it back")
}

// While history is read a partition rests that has been read to its end, and from which nothing came for a while: the next stage is told once, and
// again once something comes.
func TestAPartitionRestsOnceHistoryIsReadToItsEnd(t *testing.T) {
	x := modelTask(&tellingCounter{counter: counter{every: 1000}}, "in", 0, checkpoint{})
	x.r.o.History, x.table.fired = true, math.MaxInt64
	x.table.evicted = &keySet{} // nothing is in the mirror
	x.checkpointAt = time.Now().Add(time.Hour)
	told := func() (values []string) {
		p, err := x.cut(time.Now(), false, &room{bounds{1 << 30, 1 << 30}, false, false})
		require.NoError(t, err)
		if p == nil {
			return nil
		}
		for _, o := range p.outputs {
			values = append(values, string(o.Value))
		}
		return values
	}
	pass := func(after time.Duration) {
		require.NoError(t, x.passTime(t.Context(), x.readAt.Add(after).UnixMilli()))
	}
	pass(restAfterNothing + time.Second)
	assert.Equal(t, []string{"0 resting"}, told(), "it is empty")
	require.NoError(t, x.fold(t.Context(), []*kgo.Record{{Topic: "in", Key: []byte("a"), Value: []byte("6000")}}))
	x.urgent = true
	assert.Equal(t, []string{"6000"}, told())
	pass(restAfter - time.Second)
	assert.Empty(t, told(), "more may come")
	pass(restAfter + time.Second)
	assert.Equal(t, []string{"6000 resting"}, told())
	pass(2 * restAfter)
	assert.Empty(t, told())
	require.NoError(t, x.fold(t.Context(), []*kgo.Record{{Topic: "in", Offset: 1, Key: []byte("a"), Value: []byte("6001")}}))
	x.urgent = true
	assert.Equal(t, []string{"6001"}, told(), "at once, however little time has moved")
	assert.Equal(t, int64(6001), x.table.now.eventTime, "no clock moves history")
}

// The reader believes nobody about the future: what was told of it would have to be told again.
func TestNothingIsToldOfTheFuture(t *testing.T) {
	x := modelTask(&tellingCounter{counter: counter{every: 1000}}, "in", 0, checkpoint{})
	x.table.fired, x.table.evicted = math.MaxInt64, &keySet{}
	x.r.o.CheckpointInterval = time.Second
	now := time.Now()
	require.NoError(t, x.fold(t.Context(), []*kgo.Record{{Topic: "in", Key: []byte("a"), Value: fmt.Append(nil, now.Add(time.Hour).UnixMilli())}}))
	for _, later := range []time.Duration{0, 10 * time.Second} {
		p, err := x.cut(now.Add(later), true, &room{})
		require.NoError(t, err)
		require.Len(t, p.outputs, 1)
		assert.Equal(t, fmt.Sprint(now.Add(later).UnixMilli()), string(p.outputs[0].Value))
	}
}

// tellingGatherer gathers, and tells a later stage.
type tellingGatherer struct{ *gatherer }

func (tellingGatherer) Tell(watermark int64, _ bool) []Output {
	return []Output{{Topic: "mark", Value: fmt.Append(nil, watermark)}}
}

// What is flushed is of events up to the time that is told: the mark lies behind it. A takeover tells again what it may have
// told, once what was due has fired, and comes to a checkpoint by itself for that.
func TestMarksLieBehindWhatIsFlushed(t *testing.T) {
	table := newTable(tellingGatherer{newGatherer()}, "in", 0, checkpoint{next: 7, eventTime: 50_000})
	_, progress := table.wants()
	assert.False(t, progress, "what was due has not fired yet")
	table.maxValue, table.fired = defaultMaxRecord, 50_000
	_, progress = table.wants()
	assert.True(t, progress)

	r := &kgo.Record{Topic: "in", Offset: 7, Key: []byte("a"), Value: []byte("60000")}
	route, err := table.proc.Decode(0, r)
	require.NoError(t, err)
	require.NoError(t, table.fold(0, r, route, nil, table.put("a")))
	table.fired = 60_000
	c, err := table.cut(false)
	require.NoError(t, err)
	require.Len(t, c.outputs, 2)
	assert.Equal(t, Output{Topic: "told", Key: []byte("a"), Value: []byte("1")}, c.outputs[0])
	assert.Equal(t, Output{Topic: "mark", Value: []byte("60000")}, c.outputs[1])
	emission, progress := table.wants()
	assert.False(t, emission || progress)
}

// tellingCounter tells a later stage.
type tellingCounter struct{ counter }

func (c *tellingCounter) Tell(watermark int64, resting bool) []Output {
	value := fmt.Append(nil, watermark)
	if resting {
		value = append(value, " resting"...)
	}
	return []Output{{Topic: "told", Value: value}}
}

// A checkpoint tells how far time has come, behind everything that was folded until then, and not at every step.
func TestCheckpointsTellTheTime(t *testing.T) {
	proc := &tellingCounter{counter: counter{every: 1}}
	table := newTable(proc, "in", 0, checkpoint{})
	table.disorder, table.maxValue = 1000, defaultMaxRecord
	table.fired = math.MaxInt64 // nothing is due
	told := func(at int64, full bool) (topics []string) {
		r := &kgo.Record{Topic: "in", Offset: table.now.next, Key: []byte("a"), Value: fmt.Append(nil, at)}
		route, err := proc.Decode(0, r)
		require.NoError(t, err)
		e := table.get(r.Key)
		if e == nil {
			e = table.put("a")
		}
		require.NoError(t, table.fold(0, r, route, nil, e))
		c, err := table.cut(full)
		require.NoError(t, err)
		for _, o := range c.outputs {
			topics = append(topics, o.Topic)
			if o.Topic == "told" {
				topics = append(topics, string(o.Value))
			}
		}
		return topics
	}
	assert.Equal(t, []string{"out", "told", "99000"}, told(100_000, true))
	assert.Equal(t, []string{"out"}, told(103_000, true), "too little")
	assert.Equal(t, []string{"out"}, told(900_000, false), "an emission repeats what the checkpoint knew")
	assert.Equal(t, []string{"out", "told", "899000"}, told(900_000, true))
}

// keyless is a processor of records that no entity owns, as ingest is.
type keyless struct {
	tellingCounter
	marks int
}

func (k *keyless) Decode(int, *kgo.Record) (Route, error) { return Route{EventTime: 1}, nil }

func (k *keyless) Fold(_ int, t *Turn) error {
	t.Emit(Output{Topic: "out"})
	return nil
}

func (k *keyless) Tell(int64, bool) []Output { return make([]Output, k.marks) }

// In a backlog checkpoints are far apart. Where the next commit is one in any case, time is told between two of them, the more seldom
// the more partitions have to hear it.
func TestTimeIsToldBetweenCheckpoints(t *testing.T) {
	proc := &keyless{marks: 20}
	table := newTable(proc, "in", 0, checkpoint{})
	table.fired, table.maxValue = math.MaxInt64, defaultMaxRecord
	var told []int64
	for offset := range int64(6000) {
		before := len(table.outputs)
		require.NoError(t, table.fold(0, &kgo.Record{Topic: "in", Offset: offset}, Route{EventTime: offset * 100}, nil, nil))
		table.tellAlong()
		if len(table.outputs) == before+1+proc.marks {
			told = append(told, offset+1)
		}
	}
	assert.Equal(t, []int64{1000, 3000, 5000}, told)
	_, err := table.cut(false)
	require.NoError(t, err)
	table.tellAlong()
	assert.Empty(t, table.outputs, "a mark alone makes no checkpoint")
}
