package pipeline

import (
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/kafka"
	"github.com/pqlstream/pqlstream/pkg/stream"
)

// Topic is one of our own topics between two stages. The zero Topic is none.
type Topic struct {
	Name       string
	Partitions int32
}

// partition is that of a key, by Kafka's default partitioner.
func (t *Topic) partition(key []byte) int32 { return kafka.Partition(key, t.Partitions) }

// source is the topic as a source of the stage behind it.
func (t *Topic) source() stream.Source {
	return stream.Source{Topic: t.Name, Partitions: t.Partitions}
}

// event is the record of an encoded event, with headers beside those that all have.
func (t *Topic) event(key, value []byte, headers []kgo.RecordHeader, from []byte) stream.Output {
	return stream.Output{
		Topic:     t.Name,
		Partition: t.partition(key),
		Key:       key,
		Value:     value,
		Headers:   append(headers, usageSchemaHeader, kgo.RecordHeader{Key: headerPosition, Value: from}),
	}
}

var usageSchemaHeader = kgo.RecordHeader{Key: codec.HeaderSchema, Value: []byte("usage_event")}

// positionOf is where a record itself lies.
func positionOf(r *kgo.Record) account.Position {
	return account.Position{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset}
}
