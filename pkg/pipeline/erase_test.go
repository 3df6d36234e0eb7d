package pipeline

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/kafka"
)

// What is asked by hand reads as what an event asks.
func TestErasuresByHand(t *testing.T) {
	to := Topic{"topic", partitions}
	record := func(r *kgo.Record, err error) *kgo.Record { require.NoError(t, err); return r }
	for _, c := range []struct {
		record  *kgo.Record
		id      string
		control Control
	}{
		{record(EraseAccount(to, "acme", 5)), "acme", Control{Kind: ControlEraseAccount, Account: "acme", At: 5}},
		{record(EraseUser(to, "ana", "acme", 5)), "acme", Control{Kind: ControlEraseUser, User: "ana", Account: "acme", At: 5}},
		{record(EraseUnresolved(to, "ana", 5)), "ana", Control{Kind: ControlEraseUser, User: "ana", At: 5}},
	} {
		assert.Equal(t, "topic", c.record.Topic)
		assert.Equal(t, kafka.Partition([]byte(c.id), partitions), c.record.Partition)
		assert.Equal(t, c.control.Kind, controlKind(c.record))
		got, err := decodeControl(c.control.Kind, c.record)
		require.NoError(t, err)
		assert.Equal(t, &c.control, got)
		c.record.Offset = 7
		assert.Equal(t, account.Position{Topic: "topic", Partition: c.record.Partition, Offset: 7}, position(c.record), "it is its own source")
	}
	for _, wrong := range []string{"", strings.Repeat("x", 257)} {
		_, err := EraseAccount(to, wrong, 5)
		require.Error(t, err)
		_, err = EraseUser(to, wrong, "acme", 5)
		require.Error(t, err)
		_, err = EraseUnresolved(to, wrong, 5)
		require.Error(t, err)
	}
	_, err := EraseUser(to, "ana", strings.Repeat("x", 257), 5)
	require.Error(t, err)
}
