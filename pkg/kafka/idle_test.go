package kafka

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/config"
)

func TestIdleStagesAreThoseWhoseGroupsHaveNoMembers(t *testing.T) {
	cluster := newCluster(t, 1, kfake.SeedTopics(1, "clicks", "usage", "facts"))
	client := cluster.client(t)
	readings := []Reading{{config.Ingest, "i", "usage"}, {config.Ingest, "i", "clicks"}, {config.Activation, "a", "usage"}, {config.Measure, "m", "facts"}}
	idle, err := Idle(t.Context(), client, readings)
	require.NoError(t, err)
	assert.Equal(t, []config.Stage{config.Ingest, config.Activation, config.Measure}, idle, "each once")

	var at kadm.Offsets
	at.AddOffset("facts", 0, 0, -1)
	_, err = kadm.NewClient(client).CommitOffsets(t.Context(), "m", at) // a group of the past
	require.NoError(t, err)
	member := cluster.client(t, kgo.ConsumerGroup("a"), kgo.ConsumeTopics("usage"))
	defer member.CloseAllowingRebalance()
	require.Eventually(t, func() bool {
		idle, err = Idle(t.Context(), client, readings)
		return err == nil && len(idle) == 2
	}, 30*time.Second, 10*time.Millisecond)
	assert.Equal(t, []config.Stage{config.Ingest, config.Measure}, idle)
}
