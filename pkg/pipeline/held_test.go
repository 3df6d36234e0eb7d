package pipeline

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/kafka"
	"github.com/pqlstream/pqlstream/pkg/stream"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// waiting is account acme in the hands of activation behind ingest, under a checklist by which three days of silence end a PQL.
type waiting struct {
	t       *testing.T
	stage   *Activation
	proc    stream.TimerProcessor
	state   *account.State
	offset  int64
	time    int64 // the watermark
	said    []string
	letters []stream.Output
	sent    []stream.Output // to other accounts
}

func newWaiting(t *testing.T) *waiting {
	s := stageOf(t, strings.Replace(rules, "inactivity: {days: 0}", "inactivity: {days: 3}", 1))
	s.Usage, s.Now = Topic{"usage", partitions}, func() int64 { return hours(10_000) }
	letters, err := codec.NewDeadLetterEncoder(codec.JSON, 0, 900_000)
	require.NoError(t, err)
	s.DeadLetters = &DeadLetters{Stage: "activation", Topic: "dead", Partitions: 1, Encoder: letters, Now: s.Now}
	w := &waiting{t: t, stage: s, proc: s.Processor("usage", 2).(stream.TimerProcessor)}
	w.state = w.proc.NewState("acme", 0).(*account.State)
	return w
}

// hours is the time some hours after the epoch.
func hours(n int64) int64 { return epoch + n*3_600_000 }

// event brings a named event of an hour, which a partition of the source was read at.
func (w *waiting) event(lane int32, hour int64, name string) {
	w.t.Helper()
	r := recordOf(w.t, w.offset, usage.Event{ID: name + strconv.FormatInt(hour, 10), AccountID: "acme", UserID: "ana", Name: name, OccurredAt: hours(hour)})
	w.bring(r, lane, hour)
}

func (w *waiting) ask(c *Control, lane int32, hour int64) {
	w.t.Helper()
	c.At = hours(hour)
	o := c.output(w.stage.Usage, "acme", nil, account.Position{}, 0)
	w.bring(&kgo.Record{Value: o.Value, Headers: []kgo.RecordHeader{{Key: headerControl, Value: []byte(c.Kind)}}}, lane, hour)
}

// bring brings a record; one of no lane comes from nobody's partition.
func (w *waiting) bring(r *kgo.Record, lane int32, hour int64) {
	w.t.Helper()
	r.Topic, r.Partition, r.Offset, r.Timestamp = "usage", 2, w.offset, time.UnixMilli(hours(10_000))
	if lane >= 0 {
		from := account.Position{Topic: "in", Partition: lane, Offset: w.offset}
		r.Headers = watermarkHeader(append(r.Headers, kgo.RecordHeader{Key: headerPosition, Value: formatPosition(from)}), hours(hour))
	}
	w.offset++
	w.fire()
	_, err := w.proc.Decode(0, r)
	require.NoError(w.t, err)
	w.turn(r, func(t *stream.Turn) error { return w.proc.Fold(0, t) })
}

// tell lets the watermark come to an hour.
func (w *waiting) tell(hour int64) {
	w.t.Helper()
	w.time = hours(hour)
	w.fire()
}

func (w *waiting) fire() {
	for due := w.state.NextTimer(); due != 0 && due <= w.time; due = w.state.NextTimer() {
		w.turn(nil, func(t *stream.Turn) error { return w.proc.Fire(t, due) })
	}
}

// turn calls the processor, after which the account is encoded and loaded.
func (w *waiting) turn(r *kgo.Record, call func(*stream.Turn) error) {
	w.t.Helper()
	t := &stream.Turn{Topic: "usage", Partition: 2, Offset: w.offset, Record: r, State: w.state, Watermark: w.time}
	require.NoError(w.t, call(t))
	_, outputs := t.Result()
	for _, o := range outputs {
		switch o.Topic {
		case "lifecycle":
			f := fact(w.t, o)
			said := strings.TrimSpace(fmt.Sprintf("%s %s", f.Type, f.Reason))
			if f.Late {
				said += " late"
			}
			w.said = append(w.said, said)
		case "dead":
			w.letters = append(w.letters, o)
		case "usage":
			w.sent = append(w.sent, o)
		}
	}
	encoded, err := w.state.AppendBinary(nil)
	require.NoError(w.t, err)
	loaded, err := w.proc.LoadState("acme", encoded)
	require.NoError(w.t, err)
	w.state = loaded.(*account.State)
}

// hears returns what has become of the account since it was asked last.
func (w *waiting) hears() []string {
	said := w.said
	w.said = nil
	return said
}

// pql makes the account a PQL in the first two hours, at which time stands.
func (w *waiting) pql() {
	w.tell(0)
	w.event(0, 1, "one")
	w.event(0, 2, "two")
	require.Equal(w.t, []string{"active", "step_done", "step_done", "qualified"}, w.hears())
}

func TestASilenceIsNotGoneOver(t *testing.T) {
	w := newWaiting(t)
	w.pql()
	w.event(0, 100, "one") // it would put off the silence that has been since hour 75
	assert.Empty(t, w.hears())
	w.event(0, 101, "three")
	w.tell(74)
	assert.Empty(t, w.hears(), "nobody knows yet that it is silent")
	w.tell(75)
	assert.Equal(t, []string{"disqualified inactive", "requalified", "step_done"}, w.hears())
	assert.False(t, w.state.Holds())
	w.tell(1000)
	assert.Equal(t, []string{"disqualified inactive"}, w.hears())
}

func TestWhatHasHappenedElsewhereEndsTheWait(t *testing.T) {
	w := newWaiting(t)
	w.pql()
	w.event(0, 100, "three")
	w.event(1, 50, "one") // of a partition that lags: it was not silent
	assert.Equal(t, []string{"step_done"}, w.hears())
	w.tell(121)
	assert.Empty(t, w.hears())
}

func TestNoneOfAPartitionOvertakesAnother(t *testing.T) {
	w := newWaiting(t)
	w.pql()
	w.event(0, 100, "three")
	w.event(1, 90, "four")
	w.ask(&Control{Kind: ControlEraseUser, Account: "acme", User: "ana"}, 0, 100)
	w.event(0, 74, "one") // behind the others where it comes from, though nothing is due before it
	assert.Empty(t, w.hears())
	w.tell(80)
	assert.Equal(t, []string{"disqualified inactive", "step_done", "requalified", "step_done", "escalated", "user_erased"}, w.hears(), "by the time where they come from")
}

func TestLateIsWhatIsLateWhereItComesFrom(t *testing.T) {
	w := newWaiting(t)
	w.tell(300)
	w.bring(recordOf(t, 0, usage.Event{AccountID: "acme", Name: "one", OccurredAt: hours(9)}), 1, 8)
	w.bring(recordOf(t, 0, usage.Event{AccountID: "acme", Name: "two", OccurredAt: hours(9)}), 1, 10)
	w.bring(recordOf(t, 0, usage.Event{AccountID: "acme", Name: "three", OccurredAt: hours(9)}), -1, 0)
	assert.Equal(t, []string{"active", "step_done", "step_done late", "qualified late", "disqualified inactive", "step_done late"}, w.hears()[:6])
}

func TestWhatNoSourceAsksForDoesNotWait(t *testing.T) {
	w := newWaiting(t)
	w.pql()
	w.event(0, 100, "three")
	w.ask(&Control{Kind: ControlEraseUser, Account: "acme", User: "ana"}, -1, 3)
	assert.Equal(t, []string{"step_done", "user_erased"}, w.hears(), "after what was held, or the user would come back")
	assert.False(t, w.state.Holds())
	encoded, err := w.state.AppendBinary(nil)
	require.NoError(t, err)
	assert.NotContains(t, string(encoded), "ana")
}

func TestAnAliasSendsOnWhatHasWaited(t *testing.T) {
	w := newWaiting(t)
	w.pql()
	w.ask(&Control{Kind: ControlMerge, Account: "acme", Into: "whole"}, 0, 100)
	w.event(0, 101, "three")
	assert.Empty(t, w.hears())
	w.tell(80)
	assert.Equal(t, []string{"disqualified inactive", "merged"}, w.hears())
	assert.Equal(t, "whole", w.state.Alias())
	assert.False(t, w.state.Holds())
	require.Len(t, w.sent, 2)
	assert.NotContains(t, string(w.sent[0].Value), "three101", "what waits is not carried as well")
	assert.Contains(t, string(w.sent[1].Value), "three101")
	for i, o := range w.sent {
		assert.Equal(t, strconv.FormatInt(hours(100+int64(i)), 10), header(o.Headers, headerWatermark))
	}
}

func TestAnErasureLeavesWhatComesLater(t *testing.T) {
	w := newWaiting(t)
	w.pql()
	w.ask(&Control{Kind: ControlEraseAccount, Account: "acme"}, 0, 100)
	w.event(0, 101, "three")
	w.tell(80)
	assert.Equal(t, []string{"disqualified inactive", "erased", "active", "step_done"}, w.hears())
}

func TestRequestsThatHaveWaitedAndCantBeAnsweredAreDeadLetters(t *testing.T) {
	w := newWaiting(t)
	w.pql()
	w.ask(&Control{Kind: ControlAbsorb, Account: "acme", From: "part", State: []byte("rubbish")}, 0, 100)
	require.Empty(t, w.letters)
	w.tell(80)
	assert.Equal(t, []string{"disqualified inactive"}, w.hears())
	require.Len(t, w.letters, 1)
	letter, err := codec.DecodeDeadLetter(w.letters[0].Value)
	require.NoError(t, err)
	assert.Equal(t, CodeMessage, letter.Reason)
	assert.Contains(t, string(letter.Value), "rubbish")
	assert.Equal(t, int64(2), letter.Offset)
}

// What is held is bounded: an account that has more to wait for goes on, and its silence is gone over.
func TestTooMuchToHoldIsTakenIn(t *testing.T) {
	w := newWaiting(t)
	w.pql()
	long := usage.Property{Key: "note", Value: usage.StringValue(strings.Repeat("x", 10_000))}
	for i := range int64(80) {
		w.bring(recordOf(t, w.offset, usage.Event{ID: strconv.FormatInt(i, 10), AccountID: "acme", Name: "one", OccurredAt: hours(100 + i), Properties: []usage.Property{long}}), 0, 100+i)
		require.LessOrEqual(t, w.state.Size(), 650_000)
	}
	w.tell(80)
	assert.Empty(t, w.hears())
	w.tell(500)
	assert.Equal(t, []string{"disqualified inactive"}, w.hears())
}

func TestReadDirectlyNothingWaits(t *testing.T) {
	w := newWaiting(t)
	for w.stage.Partitions = 3; kafka.Partition([]byte("acme"), w.stage.Partitions) != 2; w.stage.Partitions++ {
	}
	w.pql()
	w.event(0, 100, "three")
	assert.Equal(t, []string{"step_done"}, w.hears())
}

func TestNobodyIsBelievedAboutTheFuture(t *testing.T) {
	r := &kgo.Record{Timestamp: time.UnixMilli(hours(5))}
	for said, want := range map[string]int64{
		"": 0, "x": 0, "-5": 0, "99999999999999999999": 0, strconv.FormatInt(hours(4), 10): hours(4), strconv.FormatInt(hours(6), 10): hours(5),
	} {
		r.Headers = []kgo.RecordHeader{{Key: headerWatermark, Value: []byte(said)}}
		assert.Equal(t, want, sourceWatermark(r), said)
	}
}

func TestHeldRecordsAreThoseThatCame(t *testing.T) {
	r := &kgo.Record{Offset: 1 << 40, Timestamp: time.UnixMilli(epoch), Value: []byte("value"), Headers: []kgo.RecordHeader{{Key: "a", Value: []byte("b")}, {Key: "", Value: []byte{}}}}
	b := appendRecord(nil, r)
	got, err := heldRecord(b, "acme")
	require.NoError(t, err)
	assert.Equal(t, r, got)
	for n := range b {
		_, err := heldRecord(b[:n], "")
		assert.ErrorIs(t, err, errHeld)
	}
	_, err = heldRecord(append(b, 0), "")
	assert.ErrorIs(t, err, errHeld)
}

// All that ingest writes says how far time had come where it was read, and resolve leaves it at that.
func TestIngestSaysWhatTimeItWas(t *testing.T) {
	in, s := resolving(t)
	in.Requests = Requests{EraseAccount: "forget"}
	ingest, resolve := in.Processor("in", 1), s.Processor("unresolved", 2)
	state := resolve.NewState("ana", 0)
	said := map[string][]string{}
	note := func(outputs []stream.Output) {
		for _, o := range outputs {
			said[o.Topic] = append(said[o.Topic], header(o.Headers, headerWatermark))
		}
	}
	for i, ev := range []usage.Event{
		{AccountID: "acme", UserID: "ana", Name: "one"}, {UserID: "ana", Name: "two"}, {AccountID: "acme", Name: "forget"},
	} {
		ev.OccurredAt = epoch
		r := recordOf(t, int64(i), ev)
		_, err := ingest.Decode(0, r)
		require.NoError(t, err)
		turn := &stream.Turn{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Record: r, Watermark: epoch + int64(i)}
		require.NoError(t, ingest.Fold(0, turn))
		_, outputs := turn.Result()
		note(outputs)
		for _, o := range outputs {
			if o.Topic != "unresolved" {
				continue
			}
			between := &kgo.Record{Topic: o.Topic, Key: o.Key, Value: o.Value, Headers: o.Headers, Timestamp: time.UnixMilli(epoch + day)}
			_, err := resolve.Decode(0, between)
			require.NoError(t, err)
			turn := &stream.Turn{Topic: o.Topic, Record: between, State: state, Watermark: epoch - day}
			require.NoError(t, resolve.Fold(0, turn))
			_, outputs := turn.Result()
			note(outputs)
		}
	}
	at := func(ms int64) string { return strconv.FormatInt(epoch+ms, 10) }
	assert.Equal(t, map[string][]string{"usage": {at(0), at(1), at(2)}, "unresolved": {at(0), at(1)}}, said)
}
