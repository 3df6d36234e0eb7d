package app

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/rollup"
)

// Rows of metrics have a format of their own. Only what is written in Avro is registered.
func TestRowsOfMetricsInAFormatOfTheirOwn(t *testing.T) {
	for name, test := range map[string]struct {
		outputs, metrics config.Format
		start            string // of the rows
		registered       bool
	}{
		"as outputs":              {config.Avro, "", "\x00", true},
		"Avro beside JSON":        {config.JSON, config.Avro, "\x00", true},
		"JSON beside Avro":        {config.Avro, config.JSON, `{"metric":`, false},
		"with schemas":            {config.JSON, config.Connect, `{"schema":`, false},
		"with schemas, next Avro": {config.Avro, config.Connect, `{"schema":`, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t).up()
			registry := srfake.New()
			t.Cleanup(registry.Close)
			c := w.measuring(config.Activation, config.Measure, config.Rollup)
			c.Input.Mode, c.Input.Identity = config.ModeDirect, config.Default().Input.Identity
			c.Registry.URL, c.Output.Format, c.Metrics.Format = registry.URL(), test.outputs, test.metrics
			w.send(lives()...)
			p := start(t, c).awaitReady()
			var rows map[string]rollup.Row
			require.Eventually(t, func() bool { rows = w.rows(); return len(rows) > 0 }, patience, poll)
			p.stop()
			for _, r := range w.read("pql.metrics") {
				require.Equal(t, test.start, string(r.Value[:len(test.start)]))
			}
			_, registered := registry.GetSchema("pql.metrics-value", 1)
			require.Equal(t, test.registered, registered)
			_, registered = registry.GetSchema("pql.events-value", 1)
			require.Equal(t, test.outputs == config.Avro, registered)
		})
	}
}
