package pipeline

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/stream"
	"github.com/pqlstream/pqlstream/pkg/tracing"
)

const (
	theirTrace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	unsampled  = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
)

// spans are what an exporter was given.
type spans []*tracing.Span

func (s *spans) Add(span *tracing.Span) { *s = append(*s, span) }

// publishes returns the names of those that tell of an output.
func (s spans) publishes() (names []string) {
	for _, span := range s {
		if strings.HasPrefix(span.Name, "publish ") {
			names = append(names, span.Name)
		}
	}
	return names
}

// named returns the only span of a name.
func (s spans) named(t *testing.T, name string) *tracing.Span {
	t.Helper()
	var found []*tracing.Span
	for _, span := range s {
		if span.Name == name {
			found = append(found, span)
		}
	}
	require.Len(t, found, 1, name)
	return found[0]
}

func (s spans) names() (names []string) {
	for _, span := range s {
		names = append(names, span.Name)
	}
	return names
}

func attribute(s *tracing.Span, key string) any {
	for _, a := range s.Attributes {
		if a.Key == key {
			return a.Value
		}
	}
	return nil
}

// tick is a clock that is a second later each time.
func tick() func() time.Time {
	now := time.UnixMilli(epoch)
	return func() time.Time { now = now.Add(time.Second); return now }
}

// script is a processor that does as the record's value says: emits to a topic for each word, with the headers that word=header gives.
type script struct{ records []*kgo.Record }

func (s *script) Decode(i int, r *kgo.Record) (stream.Route, error) {
	for len(s.records) <= i {
		s.records = append(s.records, nil)
	}
	s.records[i] = r
	switch string(r.Value) {
	case "retry":
		return stream.Route{}, stream.ErrRetry
	case "undecodable":
		return stream.Route{}, &stream.Reject{Code: "undecodable", Err: errors.New("no sense")}
	case "ignore":
		return stream.Route{Ignore: true}, nil
	}
	return stream.Route{Key: []byte("acme")}, nil
}

func (s *script) Fold(i int, t *stream.Turn) error {
	if string(s.records[i].Value) == "refused" {
		return &stream.Reject{Code: "refused", Err: errors.New("as told")}
	}
	s.emit(string(s.records[i].Value), s.records[i], t)
	return nil
}

func (s *script) emit(what string, r *kgo.Record, t *stream.Turn) {
	for word := range strings.FieldsSeq(what) {
		topic, held, holds := strings.Cut(word, "=")
		o := stream.Output{Topic: topic, Partition: 3, Lazy: topic == "lazy", Headers: append(trace(r), kgo.RecordHeader{Key: "type", Value: []byte("qualified")})}
		if holds {
			o.Headers = []kgo.RecordHeader{{Key: headerTraceParent, Value: []byte(held)}}
		}
		t.Emit(o)
	}
}

func (s *script) NewState(string, int64) stream.State            { return nil }
func (s *script) LoadState(string, []byte) (stream.State, error) { return nil, nil }

// timedScript takes in what was held when its timer fires.
type timedScript struct{ *script }

func (s timedScript) Fire(t *stream.Turn, _ int64) error {
	s.emit("late="+theirTrace, nil, t)
	return nil
}

func traced1(share float64, origin bool) (*Traces, *spans) {
	s := &spans{}
	return &Traces{
		Stage: "stage", Group: "pql.stage", Folding: "fold", Entity: AttributeAccount, Origin: origin,
		Sampler: tracing.NewSampler(share), Exporter: s, Now: tick(),
	}, s
}

// run has a processor decode and fold one record, and returns what it has emitted.
func run(t *testing.T, p stream.Processor, r *kgo.Record) ([]stream.Output, error) {
	t.Helper()
	route, err := p.Decode(0, r)
	if err != nil || route.Ignore {
		return nil, err
	}
	turn := &stream.Turn{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Record: r}
	err = p.Fold(0, turn)
	_, outputs := turn.Result()
	return outputs, err
}

func scripted(value string, traceParents ...string) *kgo.Record {
	r := &kgo.Record{Topic: "in", Partition: 2, Offset: 7, Value: []byte(value)}
	for _, h := range traceParents {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: headerTraceParent, Value: []byte(h)})
	}
	return r
}

func processorOf(traces *Traces) stream.Processor {
	return traces.Of(func(string, int32) stream.Processor { return &script{} })("in", 2)
}

func settle(p stream.Processor, err error) bool {
	told := p.(stream.Witness).Cut(true)
	if told == nil {
		return false
	}
	told(stream.Outcome{Began: time.UnixMilli(epoch + day), Ended: time.UnixMilli(epoch + day + 9), Checkpoint: true, Err: err})
	return true
}

// One trace goes from the record's to those of all that comes of it, by way of the spans of what was done.
func TestTheTraceOfARecordGoesOn(t *testing.T) {
	traces, s := traced1(0, true)
	p := processorOf(traces)
	r := scripted("out other", theirTrace)
	r.Headers = append(r.Headers, kgo.RecordHeader{Key: headerTraceState, Value: []byte("theirs=1")})
	outputs, err := run(t, p, r)
	require.NoError(t, err)
	require.True(t, settle(p, nil))
	require.False(t, settle(p, nil), "it is told once")

	their, ok := tracing.Parse([]byte(theirTrace))
	require.True(t, ok)
	work, decode, fold := s.named(t, "stage"), s.named(t, "decode"), s.named(t, "fold")
	commit := s.named(t, "commit stage")
	assert.Equal(t, their.Span, work.Parent)
	assert.Equal(t, tracing.Consumer, work.Kind)
	for key, want := range map[string]any{
		attributeSystem: "kafka", attributeOperation: "process", attributeDestination: "in", attributePartition: "2", attributeOffset: int64(7),
		attributeGroup: "pql.stage", attributeStage: "stage", AttributeAccount: "acme",
	} {
		assert.Equal(t, want, attribute(work, key), key)
	}
	for _, below := range []*tracing.Span{decode, fold} {
		assert.Equal(t, work.Context.Span, below.Parent)
		assert.False(t, below.Start.Before(work.Start) || below.End.After(work.End) || below.End.Before(below.Start))
	}
	for i, topic := range []string{"out", "other"} {
		published := s.named(t, "publish "+topic)
		assert.Equal(t, work.Context.Span, published.Parent)
		assert.Equal(t, tracing.Producer, published.Kind)
		assert.Equal(t, topic, attribute(published, attributeDestination))
		assert.Equal(t, "3", attribute(published, attributePartition))
		assert.Equal(t, "qualified", attribute(published, attributeRecord))
		assert.Equal(t, epoch+day+9, published.End.UnixMilli(), "it ends with the commit")
		assert.Equal(t, []tracing.Context{commit.Context}, published.Links)
		assert.Equal(t, string(published.Context.Header()), header(outputs[i].Headers, headerTraceParent))
		assert.Equal(t, "theirs=1", header(outputs[i].Headers, headerTraceState))
		assert.Equal(t, "qualified", header(outputs[i].Headers, "type"))
		assert.Len(t, outputs[i].Headers, 3)
		assert.Contains(t, commit.Links, published.Context)
	}
	assert.Equal(t, "checkpoint", attribute(commit, attributeCommit))
	assert.NotEqual(t, their.Trace, commit.Context.Trace, "it is for many records")
	seen := map[tracing.SpanID]bool{}
	for _, span := range *s {
		assert.False(t, seen[span.Context.Span])
		seen[span.Context.Span] = true
		if span != commit {
			assert.Equal(t, their.Trace, span.Context.Trace)
		}
	}
}

// What is lazy may still wait when an emission is over.
func TestWhatIsLazyIsToldOfWithTheNextCheckpoint(t *testing.T) {
	traces, s := traced1(1, true)
	p := processorOf(traces)
	_, err := run(t, p, scripted("out lazy"))
	require.NoError(t, err)
	p.(stream.Witness).Cut(false)(stream.Outcome{})
	assert.NotNil(t, s.named(t, "publish out"))
	assert.Equal(t, []string{"publish out"}, s.publishes())
	p.(stream.Witness).Cut(true)(stream.Outcome{Checkpoint: true})
	assert.Equal(t, []string{"publish out", "publish lazy"}, s.publishes())
	assert.Nil(t, p.(stream.Witness).Cut(true))

	_, err = run(t, p, scripted(strings.Repeat("lazy ", maxSent+1)))
	require.NoError(t, err)
	_, err = run(t, p, scripted("out"))
	require.NoError(t, err)
	assert.NotNil(t, p.(stream.Witness).Cut(false), "much that is lazy leaves room for what is not")
}

// A record is folded again after a crash: what comes of it is the same to the byte.
func TestWhatIsDoneAgainHasTheSameIds(t *testing.T) {
	once := func(r *kgo.Record) []stream.Output {
		traces, _ := traced1(1, true)
		outputs, err := run(t, processorOf(traces), r)
		require.NoError(t, err)
		return outputs
	}
	plain := once(scripted("out"))
	require.True(t, strings.HasSuffix(header(plain[0].Headers, headerTraceParent), "-01"))
	assert.Equal(t, plain, once(scripted("out")))
	assert.Equal(t, once(scripted("out", theirTrace)), once(scripted("out", theirTrace)))
	other := scripted("out")
	other.Offset++
	assert.NotEqual(t, plain, once(other))
}

func TestWhichRecordsAreSampled(t *testing.T) {
	for _, test := range []struct {
		name    string
		share   float64
		origin  bool
		headers []string
		sampled bool
		same    bool // the headers of what comes of it are those of the record
	}{
		{"one without a trace, by its share", 1, true, nil, true, false},
		{"one without a trace, of a share of none", 0, true, nil, false, true},
		{"one without a trace, behind another stage", 1, false, nil, false, true},
		{"of a trace that is sampled", 0, false, []string{theirTrace}, true, false},
		{"of a trace that is not", 1, true, []string{unsampled}, false, true},
		{"of two traces, of which the first counts", 1, true, []string{unsampled, theirTrace}, false, true},
		{"with a header that is none, as if it had none", 1, true, []string{"nonsense"}, true, false},
		{"with a header that is none", 0, false, []string{"nonsense"}, false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			traces, s := traced1(test.share, test.origin)
			p := processorOf(traces)
			outputs, err := run(t, p, scripted("out", test.headers...))
			require.NoError(t, err)
			assert.Equal(t, test.sampled, settle(p, nil))
			assert.Equal(t, test.sampled, len(*s) > 0)
			plain, err := run(t, &script{}, scripted("out", test.headers...))
			require.NoError(t, err)
			assert.Equal(t, test.same, assert.ObjectsAreEqual(plain, outputs))
			if test.sampled {
				_, ok := tracing.Parse([]byte(header(outputs[0].Headers, headerTraceParent)))
				assert.True(t, ok)
			}
		})
	}
}

// What other systems have said of a trace goes with it, and not with another one.
func TestTheStateOfAnotherTraceIsLeftOut(t *testing.T) {
	traces, _ := traced1(1, true)
	r := scripted("out", "nonsense")
	r.Headers = append(r.Headers, kgo.RecordHeader{Key: headerTraceState, Value: []byte("theirs=1")})
	outputs, err := run(t, processorOf(traces), r)
	require.NoError(t, err)
	assert.Empty(t, header(outputs[0].Headers, headerTraceState))
}

// Records that were held are taken in while another one is folded, or as time passes: their own trace goes on.
func TestWhatWasHeldKeepsItsTrace(t *testing.T) {
	their, _ := tracing.Parse([]byte(theirTrace))
	for name, headers := range map[string][]string{
		"by a record that is not sampled": nil,
		"by one that is":                  {strings.Replace(theirTrace, "0af", "1af", 1)},
	} {
		t.Run(name, func(t *testing.T) {
			traces, s := traced1(0, false)
			p := processorOf(traces)
			outputs, err := run(t, p, scripted("held="+theirTrace+" plain="+unsampled, headers...))
			require.NoError(t, err)
			require.True(t, settle(p, nil))
			published := s.named(t, "publish held")
			assert.Equal(t, their.Span, published.Parent)
			assert.Equal(t, their.Trace, published.Context.Trace)
			assert.Equal(t, string(published.Context.Header()), header(outputs[0].Headers, headerTraceParent))
			assert.Equal(t, unsampled, header(outputs[1].Headers, headerTraceParent))
			if headers != nil {
				assert.Contains(t, published.Links, s.named(t, "stage").Context, "what has released it")
			}
		})
	}
	t.Run("by time", func(t *testing.T) {
		traces, s := traced1(0, false)
		p := traces.Of(func(string, int32) stream.Processor { return timedScript{&script{}} })("in", 2)
		turn := &stream.Turn{Topic: "in", Partition: 2, Offset: 8}
		require.NoError(t, p.(stream.TimerProcessor).Fire(turn, epoch))
		require.True(t, settle(p, nil))
		_, outputs := turn.Result()
		assert.Equal(t, string(s.named(t, "publish late").Context.Header()), header(outputs[0].Headers, headerTraceParent))
	})
}

func TestWhatBecomesOfRecordsThatAreNotFolded(t *testing.T) {
	for value, want := range map[string]struct {
		names  []string
		reject any
		failed bool
	}{
		"retry":       {},
		"ignore":      {names: []string{"decode", "stage"}},
		"undecodable": {names: []string{"decode", "stage"}, reject: "undecodable", failed: true},
		"refused":     {names: []string{"decode", "fold", "stage"}, reject: "refused", failed: true},
	} {
		traces, s := traced1(1, true)
		p := processorOf(traces)
		_, err := run(t, p, scripted(value))
		assert.Equal(t, want.failed || value == "retry", err != nil)
		assert.Equal(t, want.names, s.names(), value)
		assert.False(t, settle(p, nil), "nothing is published")
		if want.names != nil {
			stage := s.named(t, "stage")
			assert.Equal(t, want.reject, attribute(stage, attributeReject))
			assert.Equal(t, want.failed, stage.Err != nil)
			if want.failed {
				assert.EqualError(t, stage.Err, value, "the record's contents stay out of traces")
			}
			assert.Equal(t, value == "ignore", attribute(stage, attributeIgnored) == true)
		}
	}
	// One that an owner before has folded is decoded, and not folded.
	traces, s := traced1(1, true)
	_, err := processorOf(traces).Decode(0, scripted("out"))
	require.NoError(t, err)
	assert.Empty(t, s.names())
}

func TestACommitThatIsNotConfirmedPublishesNothing(t *testing.T) {
	traces, s := traced1(1, true)
	p := processorOf(traces)
	_, err := run(t, p, scripted("out"))
	require.NoError(t, err)
	require.True(t, settle(p, errors.New("the broker is gone")))
	assert.NotContains(t, s.names(), "publish out")
	commit := s.named(t, "commit stage")
	assert.EqualError(t, commit.Err, "the broker is gone")
	assert.Len(t, commit.Links, 1)
}

// A task keeps so many spans until its commit and no more; the traces of all go on.
func TestWhatIsKeptUntilTheCommitIsBounded(t *testing.T) {
	traces, s := traced1(1, true)
	p := processorOf(traces)
	for offset := range int64(maxSent + 50) {
		r := scripted("out")
		r.Offset = offset
		outputs, err := run(t, p, r)
		require.NoError(t, err)
		require.NotEmpty(t, header(outputs[0].Headers, headerTraceParent))
	}
	require.True(t, settle(p, nil))
	published := 0
	for _, name := range s.names() {
		if name == "publish out" {
			published++
		}
	}
	assert.Equal(t, maxSent, published)
}

// teller tells time.
type teller struct{ *script }

func (teller) Tell(int64, bool) []stream.Output { return []stream.Output{{Topic: "time"}} }

// A processor can do what it could do before it was traced, and nothing else.
func TestATracedProcessorCanDoTheSame(t *testing.T) {
	for _, p := range []stream.Processor{
		&script{}, timedScript{&script{}}, teller{&script{}},
		struct {
			timedScript
			timeTeller
		}{timedScript{&script{}}, teller{}},
	} {
		t.Run(fmt.Sprintf("%T", p), func(t *testing.T) {
			traces, _ := traced1(1, true)
			got := traces.Of(func(string, int32) stream.Processor { return p })("in", 2)
			_, wantTimed := p.(stream.TimerProcessor)
			_, timed := got.(stream.TimerProcessor)
			assert.Equal(t, wantTimed, timed)
			_, wantTells := p.(stream.TimeTeller)
			tells, ok := got.(stream.TimeTeller)
			assert.Equal(t, wantTells, ok)
			if ok {
				assert.Equal(t, "time", tells.Tell(1, false)[0].Topic)
			}
		})
	}
}

// nothing is a processor that does nothing.
type nothing struct{ stream.Processor }

func (nothing) Decode(int, *kgo.Record) (stream.Route, error) { return stream.Route{}, nil }
func (nothing) Fold(int, *stream.Turn) error                  { return nil }

// unsampledRecords are what comes when hardly anything is sampled.
func unsampledRecords() []*kgo.Record {
	return []*kgo.Record{scripted("out"), scripted("out", unsampled), {Topic: "in", Headers: []kgo.RecordHeader{schemaHeader, usageSchemaHeader}}}
}

func TestRecordsThatAreNotSampledTakeNoMemory(t *testing.T) {
	for _, origin := range []bool{true, false} {
		traces, s := traced1(1e-9, origin)
		p := traces.Of(func(string, int32) stream.Processor { return nothing{} })("in", 2)
		records, turn := unsampledRecords(), &stream.Turn{}
		fold := func() {
			for i, r := range records {
				_, err := p.Decode(i, r)
				if err != nil || p.Fold(i, turn) != nil {
					panic("nothing fails")
				}
			}
			if p.(stream.Witness).Cut(true) != nil {
				panic("nothing is published")
			}
		}
		fold() // its slots
		assert.Zero(t, testing.AllocsPerRun(100, fold))
		assert.Empty(t, slices.Collect(slices.Values(*s)))
	}
}

// What tracing adds to a record that is not sampled. The job's whole work on a record is in BenchmarkJob.
func BenchmarkUnsampled(b *testing.B) {
	for _, traced := range []bool{false, true} {
		b.Run(fmt.Sprintf("traced=%t", traced), func(b *testing.B) {
			newProcessor := func(string, int32) stream.Processor { return nothing{} }
			if traced {
				traces, _ := traced1(1e-9, true)
				newProcessor = traces.Of(newProcessor)
			}
			p, records, turn := newProcessor("in", 2), unsampledRecords(), &stream.Turn{}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				_, _ = p.Decode(0, records[i%len(records)])
				_ = p.Fold(0, turn)
			}
		})
	}
}
