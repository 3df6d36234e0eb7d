package stream

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Mark is what a stage tells the next about time: up to where it has come in one of its input partitions. It travels in a
// record among those that the stage writes, so that whoever has read the mark has read all that came before it.
type Mark struct {
	Topic     string   `json:"topic"` // input topic of the stage that tells it
	Partition int32    `json:"partition"`
	Watermark int64    `json:"watermark"`         // no earlier event is expected from there; ms since the Unix epoch
	Resting   bool     `json:"resting,omitempty"` // it has been read to its end: it holds nobody back until the next mark from there
	AsOf      int64    `json:"as_of"`             // when the process that tells it was started, ms since the Unix epoch: the newest one's sources are the ones
	Sources   []Source `json:"sources"`           // what is read before the reader: one that is no longer here holds nobody back; its own input counts for nothing
}

// Source is one topic that a stage reads.
type Source struct {
	Topic      string `json:"topic"`
	Partitions int32  `json:"partitions"`
}

// TimeTeller is a Processor whose outputs a later stage reads. It may itself be of a stage that is told: what it tells on is
// then what it has been told, once everything is out that this led to.
type TimeTeller interface {
	Processor
	// Tell returns the records that tell a watermark to every partition of the outputs' topic, and whether the input rests. The runtime appends
	// them to the outputs of what was folded, fired and flushed up to it.
	Tell(watermark int64, resting bool) []Output
}

// sourceTimes is how far time has come in each partition that the stage before reads. It is never changed, only replaced.
type sourceTimes struct {
	AsOf   int64         `json:"as_of"`
	Topics []sourceTopic `json:"topics"`
}

type sourceTopic struct {
	Topic      string  `json:"topic"`
	Watermarks []int64 `json:"watermarks"`        // by partition; 0: it has not been heard of
	Resting    []bool  `json:"resting,omitempty"` // by partition: it holds nobody back; nil: none rests
}

// with returns the times with what a mark in a topic says. Marks of sources that are not known count for nothing, and
// nobody tells of the topic itself.
func (s *sourceTimes) with(m *Mark, topic string) *sourceTimes {
	next := &sourceTimes{AsOf: m.AsOf}
	if s == nil || m.AsOf > s.AsOf {
		for _, source := range m.Sources {
			if source.Topic == topic {
				continue
			}
			next.Topics = append(next.Topics, s.of(source))
		}
	} else {
		next.AsOf = s.AsOf
		for _, t := range s.Topics {
			next.Topics = append(next.Topics, sourceTopic{t.Topic, slices.Clone(t.Watermarks), slices.Clone(t.Resting)})
		}
	}
	for i := range next.Topics {
		if t := &next.Topics[i]; t.Topic == m.Topic && m.Partition >= 0 && int(m.Partition) < len(t.Watermarks) {
			t.with(m)
		}
	}
	return next
}

func (t *sourceTopic) with(m *Mark) {
	t.Watermarks[m.Partition] = max(t.Watermarks[m.Partition], m.Watermark)
	if m.Resting && t.Resting == nil {
		t.Resting = make([]bool, len(t.Watermarks))
	}
	if t.Resting != nil {
		t.Resting[m.Partition] = m.Resting
	}
}

// of returns what is known of a source's partitions.
func (s *sourceTimes) of(source Source) sourceTopic {
	known := sourceTopic{Topic: source.Topic, Watermarks: make([]int64, max(source.Partitions, 0))}
	if s == nil {
		return known
	}
	for _, t := range s.Topics {
		if t.Topic != source.Topic {
			continue
		}
		copy(known.Watermarks, t.Watermarks)
		if t.Resting != nil {
			known.Resting = make([]bool, len(known.Watermarks))
			copy(known.Resting, t.Resting)
		}
	}
	return known
}

// watermark is the least of all partitions' that don't rest; 0 while there is one that has not been heard of. Where all rest it is the
// greatest.
func (s *sourceTimes) watermark() int64 {
	least, whose := s.least()
	if whose.topic == "" {
		for _, t := range s.Topics {
			for _, w := range t.Watermarks {
				least = max(least, w)
			}
		}
	}
	return least
}

// least is the least watermark and whose it is, of several the first's; nobody's where all rest.
func (s *sourceTimes) least() (watermark int64, whose topicPartition) {
	for _, t := range s.Topics {
		for i, w := range t.Watermarks {
			if (whose.topic == "" || w < watermark) && (t.Resting == nil || !t.Resting[i]) {
				watermark, whose = w, topicPartition{t.Topic, int32(i)}
			}
		}
	}
	return watermark, whose
}

// observe moves time on by what a record says about it.
func (t *table) observe(route *Route) {
	t.resting = false
	switch {
	case !t.told:
		t.now.eventTime = max(t.now.eventTime, route.EventTime)
	case route.Mark != nil:
		t.now.sources = t.now.sources.with(route.Mark, t.turn.Topic)
		t.now.eventTime = max(t.now.eventTime, t.now.sources.watermark())
	}
}

// caughtUp is a moment at which a partition held nothing behind an offset, markers included.
type caughtUp struct {
	offset int64
	at     int64 // by the clock, ms since the Unix epoch: read before it was asked for
}

// idleAt takes in that the partition held nothing behind an offset, nor a transaction that is not over.
func (t *task) idleAt(c caughtUp) {
	if t.r.o.Told || t.r.clockWrong.Load() {
		return
	}
	t.mu.Lock()
	t.idle = c
	t.mu.Unlock()
	signal(t.wake)
}

// passTime moves time on with the clock where nothing comes that would: in a first stage, where all that had happened by then has been read. It
// does so only for a purpose, since what depends on it has to be committed with a checkpoint: refolding must not see an
// earlier time.
func (t *task) passTime(ctx context.Context, clock int64) error {
	if t.r.o.History {
		t.rest(clock)
		return nil
	}
	t.mu.Lock()
	watermark := t.table.watermark(clock)
	tell, moved := t.table.hasToTell(watermark), clock > t.table.now.eventTime
	t.mu.Unlock()
	if !moved {
		return nil
	}
	fires := false
	if t.table.timed != nil {
		if t.mirror != nil {
			if err := t.askForHints(ctx, watermark); err != nil {
				return fmt.Errorf("looking for what is due: %w", err)
			}
		}
		t.mu.Lock()
		fires = t.table.timers.next() <= watermark
		t.mu.Unlock()
	}
	if !tell && !fires {
		return nil
	}
	t.mu.Lock()
	t.table.now.eventTime = max(t.table.now.eventTime, clock)
	t.table.unowned, t.urgent = true, true
	t.mu.Unlock()
	if err := t.fireDue(ctx); err != nil {
		return err
	}
	signal(t.r.hurry)
	return nil
}

// How long nothing may have come of a partition before it rests: of one that has not had an event yet, and of others, whose publisher may only be slow. What
// is written there later counts, but may be late.
const (
	restAfterNothing = 5 * time.Second
	restAfter        = time.Minute
)

// rest has a partition hold nobody back any more that has been read to its end by a clock, while history is read: no clock moves time on there, and
// one that ends early, or holds nothing at all, would hold back all others.
func (t *task) rest(clock int64) {
	t.mu.Lock()
	patience := restAfter
	if t.table.now.eventTime == 0 {
		patience = restAfterNothing
	}
	rests := t.table.teller != nil && !t.table.resting && clock >= t.readAt.Add(patience).UnixMilli()
	if rests {
		t.table.resting, t.urgent = true, true
	}
	t.mu.Unlock()
	if rests {
		signal(t.r.hurry)
	}
}

// tellEvery is by how much time must have moved on before the next stage is told, ms.
const tellEvery = 5000

// hasToTell says whether there is a next stage that should know of a watermark, or of the input's resting.
func (t *table) hasToTell(watermark int64) bool {
	return t.teller != nil && (watermark >= t.toldLast+tellEvery || t.resting != t.toldResting)
}

// tellable is the watermark that the next stage may be told: not before everything that is due by then has fired, whose outputs
// may be of an earlier time, and not before the clock has come there, since it would not be believed.
func (t *table) tellable() int64 {
	w := min(t.watermark(t.now.eventTime), t.clock)
	if t.timed != nil {
		w = min(w, t.fired)
	}
	return w
}

// tell appends what the next stage should know of time to the outputs of a checkpoint.
func (t *table) tell() {
	if w := t.tellable(); t.hasToTell(w) {
		marks := t.teller.Tell(w, t.resting)
		t.toldLast, t.toldAt, t.toldIn, t.toldResting = w, t.now.next, len(marks), t.resting
		t.add(nil, marks...)
	}
}

// How many records of the input are folded, for each mark, before marks come between two checkpoints, and how many at least.
const (
	recordsPerMark = 100
	recordsBetween = 1000
)

// tellAlong tells the next stage between two checkpoints, where the next commit is one anyway: in a backlog they are far apart, and
// whoever waits for time would wait for long.
func (t *table) tellAlong() {
	if t.teller != nil && t.flusher == nil && t.unowned && t.now.next-t.toldAt >= int64(max(recordsBetween, recordsPerMark*t.toldIn)) {
		t.tell()
	}
}

// clockTolerance is by how much our clock may differ from the broker's before time is not passed by it any more: what a wrong
// clock passes stays passed.
const clockTolerance = time.Minute

// compareClocks holds our clock against what the broker said was the time of a record that was written in between, where its topic
// has the broker's time. It says so in the log when that changes.
func (r *Runtime) compareClocks(began, ended, broker time.Time) {
	wrong := broker.Before(began.Add(-clockTolerance)) || broker.After(ended.Add(clockTolerance))
	if r.clockWrong.Swap(wrong) != wrong && wrong {
		r.o.Logger.Warn("the clock of this process and the broker's differ: time does not pass where nothing comes", "stage", r.o.Stage, "clock", ended, "broker", broker)
	}
}
