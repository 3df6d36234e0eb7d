package stream

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/state"
)

// identityOf says whose the state of an input's partitions is.
func identityOf(cluster string, input, changelog topicInfo, group string) identity {
	return identity{
		Cluster:        cluster,
		InputTopic:     input.name,
		InputID:        input.idString(),
		ChangelogID:    changelog.idString(),
		PartitionCount: int32(len(input.leaders)),
		Group:          group,
	}
}

// Mirrors names the mirrors of a stage's input, one a partition in their order, for a state.Reader: a program that is no
// member of the group finds out so what to ask the store for.
func Mirrors(ctx context.Context, client *kgo.Client, stage, group string, in Input) ([]state.Partition, error) {
	cluster, topics, err := describeTopics(ctx, client, in.Topic, in.Changelog)
	if err != nil {
		return nil, err
	}
	digest := identityOf(cluster, topics[in.Topic], topics[in.Changelog], group).digest()
	mirrors := make([]state.Partition, len(topics[in.Topic].leaders))
	for i := range mirrors {
		mirrors[i] = state.Partition{Stage: stage, Topic: in.Topic, Number: int32(i), Identity: digest}
	}
	return mirrors, nil
}
