package app

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/config"
)

// "Latest" is where the sources are begun. What ingest has made of them since is all there for activation, also where
// that starts later.
func TestActivationThatStartsLaterMissesNothing(t *testing.T) {
	w := newWorld(t).up()
	c := w.settings()
	c.Input.Mode, c.Input.Start, c.Input.UsagePartitions = config.ModeIngest, config.Latest, partitions
	publish := func(event string) {
		value := []byte(`{"event_id":"` + event + `","account_id":"acme","user_id":"u","event":"` + event + `","occurred_at":"2025-06-02T10:00:00Z"}`)
		require.NoError(t, w.plain.ProduceSync(t.Context(), &kgo.Record{Topic: "usage", Key: []byte("acme"), Value: value}).FirstErr())
	}
	c.Stages = []config.Stage{config.Ingest}
	p := start(t, c).awaitReady()
	publish("one")
	w.awaitCommitted(c.Group(config.Ingest), "usage")
	p.stop()

	c.Stages = []config.Stage{config.Ingest, config.Activation}
	p = start(t, c).awaitReady()
	publish("two")
	w.awaitCommitted(c.Group(config.Ingest), "usage")
	w.awaitCommitted(c.Group(config.Activation), "pql.usage")
	p.stop()
	require.Equal(t, map[string]int{"acme": 1}, w.qualified())
}
