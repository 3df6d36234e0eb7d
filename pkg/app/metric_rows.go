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
	topic, newest := c.TopicNames().Metrics, newestRows{}
	err = stream.ReadTopic(ctx, client, topic, func(r *kgo.Record) error {
		key, err := rollup.ParseKey(string(r.Key))
		if err == nil && wants(&key) {
			newest.take(r)
		}
		return err
	})
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		return nil, noMetrics(c)
	}
	if err != nil {
		return nil, err
	}
	rows, _, err := newest.decode(topic)
	return rows, err
}

// noMetrics says what helps where there is no topic of metrics.
func noMetrics(c *config.Config) error {
	remedy := "run `pqlstream topics create`"
	if !c.Metrics.Enabled {
		remedy = "metrics.enabled is false: set it to true in all settings of the deployment, and " + remedy
	}
	return fmt.Errorf("%w: there is no topic %s; %s", ErrNoMetrics, c.TopicNames().Metrics, remedy)
}

// newestRows are the newest values of rows, by their keys; nil where a row was removed. They are decoded in the end: a row may have many
// versions.
type newestRows map[string][]byte

// take copies a record's value: what was fetched with it is much more.
func (n newestRows) take(r *kgo.Record) { n[string(r.Key)] = bytes.Clone(r.Value) }

// decode returns the rows that there are, and the keys of those that were removed. What is no row is left out, and the error says so.
func (n newestRows) decode(topic string) (rows, removed []rollup.Row, err error) {
	rows = make([]rollup.Row, 0, len(n))
	wrong := 0
	for text, value := range n {
		if value == nil {
			key, _ := rollup.ParseKey(text) // take has been given keys of rows only
			removed = append(removed, key)
			continue
		}
		row, failed := codec.DecodeRow(value)
		if failed == nil {
			rows = append(rows, row)
			continue
		}
		if wrong++; err == nil {
			err = fmt.Errorf("topic %s, key %s: %w", topic, text, failed)
		}
	}
	if wrong > 1 {
		err = fmt.Errorf("%w; and %d others", err, wrong-1)
	}
	return rows, removed, err
}
