package pipeline

import (
	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/checklist"
	"github.com/pqlstream/pqlstream/pkg/rollup"
	"github.com/pqlstream/pqlstream/pkg/stream"
)

// MetricFacts is where and how activation tells metrics what becomes of accounts: every fact, in the partition that its account is
// read from, and how far time has come.
type MetricFacts struct {
	Topic   Topic
	Input   string // what activation reads, in as many partitions
	Started int64  // when the process was started, ms since the Unix epoch
}

// factTeller makes the records of one task.
type factTeller struct {
	*MetricFacts
	partition  int32
	properties []checklist.Property
	fact       rollup.Fact // used again for its room
}

// tell emits what metrics read of a fact.
func (f *factTeller) tell(t *stream.Turn, fact *account.Fact) {
	f.fact.Read(fact, f.properties)
	t.Emit(stream.Output{
		Topic: f.Topic.Name, Partition: t.Partition, Key: []byte(fact.AccountID), Value: f.fact.AppendBinary(nil), Lazy: true,
	})
}

// Tell implements stream.TimeTeller: all facts up to a watermark have been told.
func (f *factTeller) Tell(watermark int64, resting bool) []stream.Output {
	return marks(f.Topic, stream.Mark{
		Topic: f.Input, Partition: f.partition, Watermark: watermark, Resting: resting, AsOf: f.Started,
		Sources: []stream.Source{{Topic: f.Input, Partitions: f.Topic.Partitions}},
	})
}
