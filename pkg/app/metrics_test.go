package app

import (
	"fmt"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/kafka"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

func TestMetricsSayHowFarTimeHasCome(t *testing.T) {
	w := newWorld(t).up()
	c := w.settings()
	c.Runtime.Replay = true // the clock says nothing
	c.Runtime.AllowedDisorder = time.Minute
	p := start(t, c).awaitReady()
	at := time.Date(2025, 6, 2, 10, 0, 0, 0, time.UTC)
	for _, before := range []time.Duration{0, time.Second, time.Hour} {
		w.send(jsonOf(&usage.Event{AccountID: "acme", Name: "one", OccurredAt: at.Add(-before).UnixMilli()}))
	}
	p.awaitMetric(`pqlstream_late_records_total{stage="activation"} 1`)
	watermark := strconv.FormatFloat(float64(at.Add(-time.Minute).Unix()), 'g', -1, 64)
	p.awaitMetric(fmt.Sprintf(`pqlstream_watermark_seconds{partition="%d",stage="activation",topic="usage"} %s`, kafka.Partition([]byte("acme"), partitions), watermark))
	require.NotContains(t, p.get("/metrics"), "pqlstream_partitions_held_back{")
	p.stop()
}

// A later stage's time is held back by one of the partitions that the stage before reads.
func TestMetricsSayWhatHoldsTimeBack(t *testing.T) {
	w := newWorld(t).up()
	w.createTopic("clicks", 2)
	c := w.settings()
	c.Stages = []config.Stage{config.Ingest, config.Activation}
	c.Input.UsagePartitions = partitions
	c.Input.Sources = []config.Source{{Topic: "clicks", Format: config.JSON}}
	p := start(t, c).awaitReady()
	held := regexp.MustCompile(`(?m)^pqlstream_partitions_held_back\{partition="[01]",stage="activation",topic="clicks"\} [1-9]`)
	require.Eventually(t, func() bool { return held.MatchString(p.get("/metrics")) }, patience, poll)
	p.stop()
}

// What a record led to is published so long after the record's timestamp; a dead letter is counted by its reason.
func TestMetricsSayHowLongPublishingTookAndWhyRecordsWereRejected(t *testing.T) {
	w := newWorld(t).up()
	p := start(t, w.settings()).awaitReady()
	w.send(&kgo.Record{Topic: "usage", Key: []byte("acme"), Value: []byte("{"), Timestamp: time.Now().Add(-time.Hour)})
	p.awaitMetric(`pqlstream_publish_delay_seconds_count{stage="activation"} 1`)
	p.awaitMetric(`pqlstream_publish_delay_seconds_bucket{stage="activation",le="1800"} 0`)
	p.awaitMetric(`pqlstream_publish_delay_seconds_bucket{stage="activation",le="+Inf"} 1`)
	p.awaitMetric(`pqlstream_dead_letters_total{code="undecodable",stage="activation"} 1`)
	p.awaitMetric(`pqlstream_clock_wrong{stage="activation"} 0`)
	require.NotContains(t, p.get("/metrics"), `pqlstream_commit_seconds_count{stage="activation"} 0`)
	w.send(usageOf("acme", "one"), usageOf("acme", "two")) // a PQL: nobody waits for steps
	p.awaitMetric(`pqlstream_publish_delay_seconds_bucket{stage="activation",le="1800"} 1`)
	p.stop()
}
