package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/kafka"
	"github.com/pqlstream/pqlstream/pkg/rollup"
	"github.com/pqlstream/pqlstream/pkg/stream"
)

// ErrNoMetrics says that a deployment has no topic of metrics.
var ErrNoMetrics = errors.New("no metrics")

// MetricRows reads the rows of metrics that there are now: of each key the newest, unless it was removed. Of a row it shows the
// columns of its key to wants, possibly several times, and decodes those that are wanted only. ErrNoMetrics.
func MetricRows(ctx context.Context, c *config.Config, log *slog.Logger, wants func(*rollup.Row) bool) ([]rollup.Row, error) {
	client, err := kafka.NewClient(c.Kafka, log)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	if err := kafka.Reach(ctx, client, c.Kafka); err != nil {
		return nil, err
	}
	topic := c.TopicNames().Metrics
	newest := map[string][]byte{}
	err = stream.ReadTopic(ctx, client, topic, func(r *kgo.Record) error {
		if r.Value == nil {
			delete(newest, string(r.Key))
			return nil
		}
		key, err := rollup.ParseKey(string(r.Key))
		if err == nil && wants(&key) {
			newest[string(r.Key)] = bytes.Clone(r.Value) // what is fetched is much more
		}
		return err
	})
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		remedy := "run `pqlstream topics create`"
		if !c.Metrics.Enabled {
			remedy = "metrics.enabled is false: set it to true in all settings of the deployment, and " + remedy
		}
		return nil, fmt.Errorf("%w: there is no topic %s; %s", ErrNoMetrics, topic, remedy)
	}
	if err != nil {
		return nil, err
	}
	rows := make([]rollup.Row, 0, len(newest))
	for key, value := range newest {
		r, err := codec.DecodeRow(value)
		if err != nil {
			return nil, fmt.Errorf("topic %s, key %s: %w", topic, key, err)
		}
		rows = append(rows, r)
	}
	return rows, nil
}
