package app

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/config"
)

const sizeRules = `
version: 1
name: sizes
inactivity: {days: 0}
properties: [{name: company_size, type: long, from: [{event: traits_changed}]}]
tiers:
  - {name: large, when: 'account.company_size >= 500', threshold: 0.5}
  - {name: small, threshold: 1.0}
steps: [{id: one, kind: event, event: one}, {id: two, kind: event, event: two}]
`

// The size that decides on an account's tier is in a compacted topic of accounts, beside the events.
func TestAccountsTopicIsJoinedIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t).up()
	require.NoError(t, os.WriteFile(w.checklist, []byte(sizeRules), 0o600))
	w.createTopic("accounts", 3)
	row := func(id string, value string) *kgo.Record {
		r := &kgo.Record{Topic: "accounts", Key: []byte(id), Timestamp: time.Now().Add(-2 * time.Hour)}
		if value != "" {
			r.Value = []byte(value)
		}
		return r
	}
	c := w.settings()
	c.Stages, c.Input.UsagePartitions = []config.Stage{config.Ingest, config.Activation}, partitions
	c.Input.Sources = append(c.Input.Sources, config.Source{
		Topic: "accounts", Format: config.JSON, Event: "traits_changed",
		Fields: config.Fields{AccountID: "@key", ExtraProperties: []config.ExtraProperty{{Name: "company_size", Path: "employees"}}},
	})
	p := start(t, c).awaitReady()
	w.send(row("big", `{"employees":700}`), row("tiny", `{"employees":7}`), row("gone", `{"employees":7}`), row("gone", ""))
	w.awaitCommitted(c.Group(config.Ingest), "accounts")
	w.send(usageOf("big", "one"), usageOf("tiny", "one"), usageOf("tiny", "two"), usageOf("unknown", "one"))
	w.awaitCommitted(c.Group(config.Ingest), "usage")
	w.awaitCommitted(c.Group(config.Activation), "pql.usage")
	p.stop()
	w.requireQualified("big", "tiny")
	require.Empty(t, w.read("pql.dead-letters"))
	for _, r := range w.read("pql.events") {
		f, _, err := codec.DecodeFact(r.Value)
		require.NoError(t, err)
		require.Equal(t, map[string]string{"big": "large", "tiny": "small"}[f.AccountID], f.Tier)
	}
}
