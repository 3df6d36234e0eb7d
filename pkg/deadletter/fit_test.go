package deadletter

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/kafka"
)

func settings() *config.Config {
	c := config.Default()
	c.Input.Sources = []config.Source{
		{Topic: "usage", Format: config.JSON}, {Topic: "clicks", Format: config.JSON, Fields: config.Fields{UserID: "who"}}, {Topic: "avro"},
	}
	return c
}

func letter(change func(*codec.DeadLetter)) *Letter {
	l := &Letter{codec.DeadLetter{Stage: "ingest", Topic: "usage", Partition: 1, Offset: 42, Reason: "undecodable", Key: []byte("acme"), Value: []byte(`{}`)}}
	change(&l.DeadLetter)
	return l
}

func TestWhatCantBeRightIsRefused(t *testing.T) {
	resolved := func(topic string, value string) func(*codec.DeadLetter) {
		return func(d *codec.DeadLetter) { d.Stage, d.Topic, d.Value = "resolve", topic, []byte(value) }
	}
	for name, of := range map[string]struct {
		change func(*codec.DeadLetter)
		to     string
		why    string // empty: it can be sent
	}{
		"a source's":            {change: func(*codec.DeadLetter) {}},
		"a deletion":            {change: func(d *codec.DeadLetter) { d.Key, d.Value = nil, nil }},
		"cut":                   {change: func(d *codec.DeadLetter) { d.Truncated = true }, why: "it was cut"},
		"between stages":        {change: func(d *codec.DeadLetter) { d.Stage, d.Topic = "activation", "pql.usage" }, why: "from pql.usage, which only pqlstream writes to"},
		"with another target":   {change: func(d *codec.DeadLetter) { d.Topic = "pql.facts" }, to: "usage", why: "from pql.facts"},
		"to one of ours":        {change: func(*codec.DeadLetter) {}, to: "pql.usage", why: "only pqlstream writes to pql.usage"},
		"to a changelog":        {change: func(*codec.DeadLetter) {}, to: "pql.ingest.usage.changelog", why: "only pqlstream writes to pql.ingest"},
		"a source no more":      {change: func(d *codec.DeadLetter) { d.Topic = "former" }, why: "topic former is none of input.sources"},
		"to a source":           {change: func(d *codec.DeadLetter) { d.Topic = "former" }, to: "usage"},
		"to somebody else":      {change: func(*codec.DeadLetter) {}, to: "repairs"},
		"compacted":             {change: func(*codec.DeadLetter) {}, to: "rows", why: "topic rows is compacted"},
		"held":                  {change: resolved("usage", `{"user_id":"ana"}`)},
		"held, Avro":            {change: resolved("usage", "\x00\x00\x00\x00\x01"), why: "not the source's record, and topic usage is not read in that form"},
		"held, of Avro":         {change: resolved("avro", `{"user_id":"ana"}`), why: "topic avro is not read in that form"},
		"held, of other fields": {change: resolved("clicks", `{"user_id":"ana"}`), why: "topic clicks is not read in that form"},
		"held, to another":      {change: resolved("clicks", `{"user_id":"ana"}`), to: "usage"},
	} {
		d := newDeployment(settings(), of.to)
		for _, topic := range []string{"usage", "clicks", "repairs"} {
			d.targets[topic] = target{partitions: 4}
		}
		d.targets["rows"] = newTarget("rows", kadm.TopicDetail{Partitions: kadm.PartitionDetails{0: {}}}, kafka.Retention{Compacts: true})
		err := d.refusal(letter(of.change))
		if of.why == "" {
			assert.NoError(t, err, name)
		} else if assert.Error(t, err, name) {
			assert.Contains(t, err.Error(), of.why, name)
		}
	}
}

func TestATopicThatCantBeSentTo(t *testing.T) {
	one := kadm.TopicDetail{Partitions: kadm.PartitionDetails{0: {}}}
	require.NoError(t, newTarget("a", one, kafka.Retention{Deletes: true}).unfit)
	assert.ErrorContains(t, newTarget("a", kadm.TopicDetail{}, kafka.Retention{}).unfit, "there is no topic a")
	assert.ErrorContains(t, newTarget("a", kadm.TopicDetail{Err: errors.New("denied")}, kafka.Retention{}).unfit, "topic a: denied")
	assert.ErrorContains(t, newTarget("a", one, kafka.Retention{Err: errors.New("denied")}).unfit, "is not known: denied")
}

func TestRecordsGoToWhereTheyWere(t *testing.T) {
	d := newDeployment(settings(), "")
	d.targets["usage"] = target{partitions: 4}
	belongs := kafka.Partition([]byte("acme"), 4)
	was := (belongs + 1) % 4
	there := func(d *codec.DeadLetter) { d.Partition = was }
	assert.Equal(t, was, d.partition(letter(there)))
	assert.Equal(t, belongs, d.partition(letter(func(d *codec.DeadLetter) { there(d); d.Reason = "wrong_partition" })))
	assert.Equal(t, belongs, d.partition(letter(func(d *codec.DeadLetter) { d.Partition = 7 })), "there were more")
	assert.Equal(t, int32(3), d.partition(letter(func(d *codec.DeadLetter) { d.Partition, d.Key = 7, nil })))
	d.to, d.targets["repairs"] = "repairs", target{partitions: 4}
	assert.Equal(t, belongs, d.partition(letter(there)))
}

func TestOfOneRecordOnlyTheNewestLetterIsSent(t *testing.T) {
	at := func(offset int64, of string) *Letter {
		return letter(func(d *codec.DeadLetter) {
			d.Offset, d.FailedAt = offset, offset
			if of != "" {
				d.Headers = []kgo.RecordHeader{{Key: HeaderReplayed, Value: []byte(of)}}
			}
		})
	}
	first, second, third, other := at(1, ""), at(5, "usage-1@1"), at(9, "usage-1@1"), at(3, "")
	r := &Replay{at: newDeployment(settings(), "")}
	r.at.targets["usage"] = target{partitions: 4}
	r.sort([]*Letter{third, other, first, second}, map[string]*Letter{"usage-1@1": third})
	assert.Equal(t, []*Letter{other, third}, r.Letters(), "in the order of their records")
	assert.Len(t, r.Refused, 2)
	sent := r.record(third)
	assert.Equal(t, third.Headers, sent.Headers, "it says whose it was first")
}

func TestQueries(t *testing.T) {
	l := letter(func(d *codec.DeadLetter) { d.FailedAt = 100 })
	for _, q := range []Query{{}, {Codes: []string{"other", "undecodable"}}, {Topics: []string{"usage"}}, {IDs: []string{"usage-1@42"}}, {Since: 100, Until: 101}} {
		assert.True(t, q.takes(l), q)
	}
	for _, q := range []Query{{Codes: []string{"other"}}, {Topics: []string{"other"}}, {IDs: []string{"usage-1@4"}}, {Since: 101}, {Until: 100}} {
		assert.False(t, q.takes(l), q)
	}
	assert.True(t, IsID("a.b-c_d-0@7"))
	for _, text := range []string{"usage", "usage-1", "usage-1-42", "usage-1@", "usage@4", "us age-1@4"} {
		assert.False(t, IsID(text), text)
	}
}

func TestTheNewestAreKept(t *testing.T) {
	var f Listing
	for i := range int64(5) {
		f.Letters = append(f.Letters, letter(func(d *codec.DeadLetter) { d.FailedAt, d.Offset = 10*(i%3), i }))
	}
	f.keep(3)
	var offsets []int64
	for _, l := range f.Letters {
		offsets = append(offsets, l.Offset)
	}
	assert.Equal(t, []int64{2, 4, 1}, offsets)
}
