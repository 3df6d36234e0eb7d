package kafka

import (
	"cmp"
	"strconv"
	"time"

	"github.com/pqlstream/pqlstream/pkg/config"
)

// Spec is a topic as the deployment needs it.
type Spec struct {
	Name       string
	Partitions int32
	Input      string            // the topic whose partition count this one has to have; empty: any count will do
	Configs    map[string]string // Kafka's topic settings that a new topic gets
}

// TombstoneRetention is how long changelogs keep the mark of a deleted state: a mirror that is older can't be brought
// forward, only rebuilt.
const TombstoneRetention = 7 * 24 * time.Hour

const day = 24 * time.Hour

// UsageRetention is for how long keyed events can be read again: as long a stub is kept of an erased account.
const UsageRetention = 30 * day

// UnresolvedRetention is for how long events that name only a user can be read again: as long something is kept of a user
// about whom all else was erased.
const UnresolvedRetention = 30 * day

// MetricsRetention is for how long what leads to metrics can be read again.
const MetricsRetention = 7 * day

// rollupPartitions is how many a new rollup topic has. A grouping lies in one partition, so that its rows become visible together;
// there are as many as processes may share the work of, and most deployments have few groupings.
const rollupPartitions = 4

// Specs lists the deployment's own topics. The partition counts are those of the source topics and, once they exist, of
// the usage topic, that of unresolved events, that of rollups and that of dead letters.
func Specs(c *config.Config, partitions map[string]int32) []Spec {
	names := c.TopicNames()
	input := c.ActivationInput()
	count, known := partitions[input]
	var specs []Spec
	if !c.Direct() {
		if !known {
			count = int32(c.Input.UsagePartitions)
		}
		for i := range c.Input.Sources {
			s := &c.Input.Sources[i]
			specs = append(specs, Spec{c.IngestChangelog(s), partitions[s.Topic], s.Topic, changelog()})
		}
		specs = append(specs, Spec{Name: names.Usage, Partitions: count, Configs: retained(UsageRetention)})
	}
	if c.ResolvesUsers() {
		users := cmp.Or(partitions[names.Unresolved], int32(c.Input.UsagePartitions))
		specs = append(specs,
			Spec{Name: names.Unresolved, Partitions: users, Configs: retained(UnresolvedRetention)},
			Spec{names.ResolveChangelog, users, names.Unresolved, changelog()},
		)
	}
	specs = append(specs,
		Spec{names.ActivationChangelog, count, input, changelog()},
		Spec{names.Events, count, input, retained(400 * day)},
	)
	if c.Output.Current {
		specs = append(specs, Spec{names.Current, count, input, compacted()})
	}
	if c.Output.Lifecycle {
		specs = append(specs, Spec{names.Lifecycle, count, input, retained(400 * day)})
	}
	if c.Metrics.Enabled {
		specs = append(specs, metricsSpecs(c, count, cmp.Or(partitions[names.Rollup], rollupPartitions))...)
	}
	return append(specs,
		Spec{Name: names.Checklists, Partitions: 1, Configs: compacted()},
		Spec{Name: names.DeadLetters, Partitions: cmp.Or(partitions[names.DeadLetters], count), Configs: retained(90 * day)},
	)
}

// metricsSpecs are the topics from facts to rows: facts lie where their accounts do, rows where their groupings do.
func metricsSpecs(c *config.Config, accounts, groupings int32) []Spec {
	names := c.TopicNames()
	return []Spec{
		{names.Facts, accounts, c.ActivationInput(), retained(MetricsRetention)},
		{names.MeasureChangelog, accounts, names.Facts, changelog()},
		{Name: names.Rollup, Partitions: groupings, Configs: retained(MetricsRetention)},
		{names.RollupChangelog, groupings, names.Rollup, changelog()},
		{names.Metrics, groupings, names.Rollup, compacted()}, // a row stays, however long nothing changes it
	}
}

// retained are the settings of a topic that is a log. Its records' time is when they were published, not when the
// events happened: otherwise Kafka would delete a replay of old events before anybody has read it.
func retained(d time.Duration) map[string]string {
	return map[string]string{
		"cleanup.policy":         "delete",
		"retention.ms":           milliseconds(d),
		"message.timestamp.type": "LogAppendTime",
		"max.message.bytes":      strconv.Itoa(MaxRecordBytes),
	}
}

// compactionLag is the longest that a row stays which a newer one has replaced: what was erased is gone then, however little is
// written. Without it Kafka promises nothing.
const compactionLag = 7 * day

// compacted are the settings of a topic with one row a key. Kafka compacts only segments that are full or old: both
// limits are lower than its defaults, so that a new reader has little more to read than the rows.
func compacted() map[string]string {
	return map[string]string{
		"cleanup.policy":            "compact",
		"segment.bytes":             strconv.Itoa(128 << 20),
		"segment.ms":                milliseconds(6 * time.Hour),
		"min.cleanable.dirty.ratio": "0.3",
		"max.compaction.lag.ms":     milliseconds(compactionLag),
		"max.message.bytes":         strconv.Itoa(MaxRecordBytes),
	}
}

func changelog() map[string]string {
	c := compacted()
	c["delete.retention.ms"] = milliseconds(TombstoneRetention)
	c["message.timestamp.type"] = "LogAppendTime" // so that commits tell the broker's clock
	return c
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
