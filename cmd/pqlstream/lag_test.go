package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestLag(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, "usage"))
	require.NoError(t, err)
	defer cluster.Close()
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.NoError(t, err)
	defer client.Close()
	for range 3 {
		require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: "usage", Partition: 1, Value: []byte("x")}).FirstErr())
	}
	lag := func(args ...string) result {
		return pqlstream(t, append([]string{"lag", "--config", example, "--set", "kafka.brokers=" + strings.Join(cluster.ListenAddrs(), ",")}, args...)...)
	}

	r := lag()
	require.Equal(t, exitDone, r.code, r.stderr)
	assert.Equal(t, "STAGE       GROUP           TOPIC  PARTITION  COMMITTED  END  LAG\n"+
		"activation  pql.activation  usage          0       none    0    0\n"+
		"activation  pql.activation  usage          1       none    3    3\n", r.stdout)

	r = lag("-o", "json")
	var report struct {
		Total      int64
		Partitions []map[string]any
	}
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &report))
	assert.Equal(t, int64(3), report.Total)
	assert.Equal(t, map[string]any{"stage": "activation", "group": "pql.activation", "topic": "usage", "partition": 1.0, "committed": nil, "end": 3.0, "lag": 3.0}, report.Partitions[1])

	assert.Equal(t, exitDone, lag("--max", "3").code)
	r = lag("--max", "2", "--stage", "activation")
	assert.Equal(t, exitFailed, r.code)
	assert.Equal(t, "pqlstream: activation lags by 3 records in partition 1 of usage: that is more than 2\n", r.stderr)
	r = lag("--stage", "ingest")
	assert.Equal(t, exitMisused, r.code)
	assert.Equal(t, "pqlstream: --stage ingest: by the settings there is no such stage; there are [activation]\n", r.stderr)
	assert.Equal(t, []string{"activation"}, completed(t, "lag", "--config", example, "--stage", ""))
}
