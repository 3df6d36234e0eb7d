package kafka

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

func TestFeaturesOfAClusterOfToday(t *testing.T) {
	cluster := newCluster(t, 3)
	f, err := ProbeFeatures(t.Context(), cluster.client(t))
	require.NoError(t, err)
	assert.True(t, f.ConsumerProtocol)
	assert.GreaterOrEqual(t, f.TxnOffsetCommit, int16(5))
	assert.EqualValues(t, 2, f.TransactionVersion)
	require.NoError(t, f.Check())
}

func TestFeaturesOfAnOlderCluster(t *testing.T) {
	cluster := newCluster(t, 3, kfake.MaxVersions(kversion.V3_9_0()))
	f, err := ProbeFeatures(t.Context(), cluster.client(t))
	require.NoError(t, err)
	assert.False(t, f.ConsumerProtocol)
	assert.Less(t, f.TxnOffsetCommit, int16(5))
	require.NoError(t, f.Check())

	cluster = newCluster(t, 3, kfake.MaxVersions(kversion.V2_4_0()))
	f, err = ProbeFeatures(t.Context(), cluster.client(t))
	require.NoError(t, err)
	require.ErrorContains(t, f.Check(), "Kafka 2.5 or later is needed")
}

func TestTransactionsV2SwitchedOffAreRefused(t *testing.T) {
	cluster := newCluster(t, 3)
	client := cluster.client(t)
	updated, err := kadm.NewClient(client).UpdateFeatures(t.Context(), false, kadm.FeatureUpdate{
		Feature: "transaction.version", MaxVersionLevel: 1, UpgradeType: 2,
	})
	require.NoError(t, err)
	require.NoError(t, updated["transaction.version"].Err)

	f, err := ProbeFeatures(t.Context(), client)
	require.NoError(t, err)
	assert.EqualValues(t, 1, f.TransactionVersion)
	require.ErrorContains(t, f.Check(), "kafka-features.sh --bootstrap-server HOST:PORT upgrade --feature transaction.version=2")
}

// During an upgrade of the brokers only what all of them can is used.
func TestTheOldestBrokerDecides(t *testing.T) {
	cluster := newCluster(t, 3)
	cluster.ControlKey(kmsg.ApiVersions.Int16(), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		if cluster.CurrentNode() != 1 {
			return nil, nil, false
		}
		answer := req.ResponseKind().(*kmsg.ApiVersionsResponse)
		answer.ApiKeys = append(answer.ApiKeys, kversionKeys(kversion.V3_9_0())...)
		return answer, nil, true
	})
	f, err := ProbeFeatures(t.Context(), cluster.client(t))
	require.NoError(t, err)
	assert.False(t, f.ConsumerProtocol)
	assert.Zero(t, f.TransactionVersion)
	assert.Less(t, f.TxnOffsetCommit, int16(5))
	require.NoError(t, f.Check())
}

func kversionKeys(v *kversion.Versions) (keys []kmsg.ApiVersionsResponseApiKey) {
	v.EachMaxKeyVersion(func(k, most int16) {
		key := kmsg.NewApiVersionsResponseApiKey()
		key.ApiKey, key.MaxVersion = k, most
		keys = append(keys, key)
	})
	return keys
}
