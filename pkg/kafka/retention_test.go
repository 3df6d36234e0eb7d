package kafka

import (
	"math"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
)

func TestRetention(t *testing.T) {
	cluster := newCluster(t, 1)
	topics, admin := cluster.topics(t)
	for name, configs := range map[string]map[string]string{
		"log":       {"retention.ms": "172800000", "segment.ms": "86400000", "message.timestamp.type": "LogAppendTime"},
		"endless":   {"retention.ms": "-1"},
		"rows":      {"cleanup.policy": "compact", "max.compaction.lag.ms": "3600000", "delete.retention.ms": "7200000"},
		"idle":      {"cleanup.policy": "compact"},
		"lasting":   {"cleanup.policy": "compact", "max.compaction.lag.ms": strconv.FormatInt(math.MaxInt64, 10)},
		"both":      {"cleanup.policy": "compact,delete", "retention.ms": "3600000", "segment.ms": "60000", "max.compaction.lag.ms": "1800000"},
		"both-late": {"cleanup.policy": "compact,delete", "retention.ms": "3600000", "segment.ms": "60000"},
	} {
		set := map[string]*string{}
		for key, value := range configs {
			set[key] = kadm.StringPtr(value)
		}
		_, err := admin.CreateTopic(t.Context(), 1, 1, set, name)
		require.NoError(t, err)
	}
	all, err := topics.Retention(t.Context(), "log", "endless", "rows", "idle", "lasting", "both", "both-late", "none")
	require.NoError(t, err)
	now := time.UnixMilli(1_700_000_000_000)
	for name, want := range map[string]struct{ all, replaced time.Duration }{ // 0: without an end
		"log": {72 * time.Hour, 72 * time.Hour}, "endless": {0, 0}, "rows": {0, time.Hour}, "idle": {0, 0}, "lasting": {0, 0},
		"both": {61 * time.Minute, 30 * time.Minute}, "both-late": {61 * time.Minute, 61 * time.Minute}, "none": {0, 0},
	} {
		r := all[name]
		until, known := r.Until(now)
		assert.Equal(t, want.all > 0, known, name)
		if known {
			assert.Equal(t, now.Add(want.all), until, name)
		}
		until, known = r.ReplacedUntil(now)
		assert.Equal(t, want.replaced > 0, known, name)
		if known {
			assert.Equal(t, now.Add(want.replaced), until, name)
		}
		assert.Equal(t, name == "none", r.Err != nil, name)
	}
	require.ErrorIs(t, all["none"].Err, ErrNoTopic)
	assert.False(t, all["log"].ByProducer)
	assert.True(t, all["rows"].ByProducer)
	assert.Equal(t, 2*time.Hour, all["rows"].Tombstone)
	assert.Contains(t, KeepFor("log", "retention.ms", time.Hour), "--topic log --add-config retention.ms=3600000")
}
