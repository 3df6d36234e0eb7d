package app

import (
	"log/slog"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/rollup"
)

// The topic holds, in two partitions and either format, versions of rows, a row that was removed, and one that has come back.
func TestRowsOfMetricsAreTheNewest(t *testing.T) {
	w := newWorld(t).up()
	w.createTopic("pql.metrics", 2)
	row := func(day, revision int64, metric string) rollup.Row {
		return rollup.Row{Metric: metric, Unit: "day", WindowStart: day * 86_400_000, WindowEnd: (day + 1) * 86_400_000, Zone: "UTC", Revision: revision,
			Raw: rollup.Null[int64]{Value: revision * 10, Known: true}}
	}
	put := func(format codec.Format, partition int32, r rollup.Row) {
		e, err := codec.NewMetricEncoder(format, 3)
		require.NoError(t, err)
		require.NoError(t, w.plain.ProduceSync(t.Context(), &kgo.Record{Topic: "pql.metrics", Partition: partition, Key: []byte(r.Key()), Value: e.AppendRow(nil, &r)}).FirstErr())
	}
	remove := func(partition int32, r rollup.Row) {
		require.NoError(t, w.plain.ProduceSync(t.Context(), &kgo.Record{Topic: "pql.metrics", Partition: partition, Key: []byte(r.Key())}).FirstErr())
	}
	put(codec.JSON, 0, row(1, 1, "pqls"))
	put(codec.Avro, 0, row(2, 1, "pqls"))
	put(codec.Avro, 0, row(1, 2, "pqls"))
	remove(0, row(2, 1, "pqls"))
	put(codec.Avro, 1, row(3, 1, "pqls"))
	remove(1, row(3, 1, "pqls"))
	put(codec.JSON, 1, row(3, 5, "pqls"))
	put(codec.JSON, 1, row(3, 1, "sales"))

	seen := map[string]bool{}
	rows, err := MetricRows(t.Context(), w.settings(), slog.New(slog.DiscardHandler), func(r *rollup.Row) bool {
		seen[r.Metric] = true
		assert.False(t, r.Raw.Known, "a key tells no numbers")
		return r.Metric == "pqls"
	})
	require.NoError(t, err)
	assert.ElementsMatch(t, []rollup.Row{row(1, 2, "pqls"), row(3, 5, "pqls")}, rows)
	assert.Equal(t, map[string]bool{"pqls": true, "sales": true}, seen)
}

func TestWhatIsNoRowOfMetricsIsNamed(t *testing.T) {
	w := newWorld(t).up()
	read := func() error {
		_, err := MetricRows(t.Context(), w.settings(), slog.New(slog.DiscardHandler), func(*rollup.Row) bool { return true })
		return err
	}
	require.ErrorIs(t, read(), ErrNoMetrics)
	require.EqualError(t, read(), "no metrics: there is no topic pql.metrics; metrics.enabled is false: set it to true in all settings of the deployment, and run `pqlstream topics create`")

	w.createTopic("pql.metrics", 1)
	rows, err := MetricRows(t.Context(), w.settings(), slog.New(slog.DiscardHandler), nil)
	require.NoError(t, err)
	require.Empty(t, rows)

	r := rollup.Row{Metric: "pqls"}
	require.NoError(t, w.plain.ProduceSync(t.Context(), &kgo.Record{Topic: "pql.metrics", Key: []byte(r.Key()), Value: []byte("nonsense")}).FirstErr())
	require.ErrorContains(t, read(), "topic pql.metrics, key pqls|||0|||: reading a row of a metric: ")
	require.NoError(t, w.plain.ProduceSync(t.Context(), &kgo.Record{Topic: "pql.metrics", Key: []byte("acme"), Value: []byte("{}")}).FirstErr())
	require.EqualError(t, read(), `reading pql.metrics-0, the record at offset 1: "acme" is not the key of a metric's row`)
}
