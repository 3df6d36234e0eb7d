package app

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/inspect"
	"github.com/pqlstream/pqlstream/pkg/kafka"
	"github.com/pqlstream/pqlstream/pkg/state"
)

// reportOf makes the places of a report of a deployment with users resolved, which reads usage and accounts.
func reportOf(x *Erasure, done bool, keeps map[string]kafka.Retention) map[string]Place {
	c := config.Default()
	c.Input.Identity.UsersWithoutAccount = config.ResolveUsers
	c.Input.Sources = []config.Source{{Topic: "usage"}, {Topic: "accounts"}}
	c.Metrics.Enabled = true
	x.eraser = &Eraser{c: c, users: inspect.Entities{Mirrors: make([]state.Partition, 1)}}
	r := &reporting{Erasure: x, now: time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC), done: done, keeps: keeps}
	if x.User == "" {
		r.ofAccount(c.TopicNames())
	} else {
		r.ofUser(c.TopicNames())
	}
	r.logs(c.TopicNames())
	all := map[string]Place{}
	for _, p := range r.places {
		all[p.Place+" "+p.Name] = p
	}
	return all
}

const aDay = 24 * time.Hour

func keeping(age time.Duration) kafka.Retention {
	return kafka.Retention{Deletes: true, Age: age, Segment: 7 * aDay, Compaction: kafka.Forever, Tombstone: aDay}
}

func compacting(lag time.Duration) kafka.Retention {
	return kafka.Retention{Compacts: true, Age: 7 * aDay, Segment: 6 * time.Hour, Compaction: lag, Tombstone: aDay}
}

func TestWhatKafkaHoldsAndUntilWhen(t *testing.T) {
	byProducer := keeping(3 * aDay)
	byProducer.ByProducer = true
	keeps := map[string]kafka.Retention{
		"pql.activation.changelog": compacting(7 * aDay), "pql.current": compacting(kafka.Forever), "pql.resolve.changelog": compacting(aDay),
		"pql.usage": keeping(30 * aDay), "pql.unresolved": keeping(30 * aDay), "pql.events": keeping(kafka.Forever), "pql.lifecycle": {Err: errors.New("denied")},
		"pql.dead-letters": {Err: kafka.ErrNoTopic}, "pql.facts": keeping(7 * aDay), "pql.measure.changelog": compacting(7 * aDay), "usage": byProducer, "accounts": compacting(kafka.Forever),
	}
	type is struct {
		outcome Outcome
		until   string // the day; "": none
		endless bool
		says    string
		remedy  string
	}
	for name, c := range map[string]struct {
		erasure Erasure
		want    map[string]is
	}{
		"an account": {Erasure{Account: "acme", Targets: []*Target{{Account: "acme", Done: true}}}, map[string]is{
			"states {pql:activation:pql.usage:":       {Removed, "", false, "stays until about 2026-07-31", ""},
			"changelog pql.activation.changelog":      {Replaced, "2026-07-08", false, "the first record after 6h0m0s does (segment.ms); a tombstone has the id as its key and goes 1 day after", ""},
			"current pql.current":                     {Tombstoned, "", true, "the row is deleted; ", "--topic pql.current --add-config max.compaction.lag.ms=604800000"},
			"metrics_states {pql:measure:pql.facts:":  {Removed, "", false, "stated anew without", ""},
			"metrics_changelog pql.measure.changelog": {Tombstoned, "2026-07-08", false, "the state is deleted", ""},
			"facts pql.facts":                         {Kept, "2026-07-15", false, "for 7 days", ""},
			"users {pql:resolve:pql.unresolved:":      {Absent, "", false, "no user is known to belong to it", ""},
			"usage pql.usage":                         {Kept, "2026-08-07", false, "for 30 days (retention.ms), after up to 7 days in which its segment takes records", ""},
			"unresolved pql.unresolved":               {Kept, "2026-08-07", false, "", ""},
			"events pql.events":                       {Kept, "", true, "without end", "--topic pql.events --add-config retention.ms=2592000000"},
			"lifecycle pql.lifecycle":                 {Kept, "", false, "is not known: asking has failed: denied", "DescribeConfigs"},
			"dead_letters pql.dead-letters":           {Absent, "", false, "there is no such topic", ""},
			"source usage":                            {Kept, "2026-07-11", false, "by the times that producers give", ""},
			"source accounts":                         {Kept, "", true, "the last record of a key stays", "publishes a tombstone"},
		}},
		"a user": {Erasure{User: "ana", Targets: []*Target{{Done: true}, {Account: "acme", Done: true, PartlyErased: true}, {Account: "beta", Done: true}}}, map[string]is{
			"states {pql:activation:pql.usage:":     {Removed, "", false, "from accounts: 2; 1 of them count what the user did", ""},
			"changelog pql.activation.changelog":    {Replaced, "2026-07-08", false, "states without the user", ""},
			"current pql.current":                   {Replaced, "", true, "rows without the user", "max.compaction.lag.ms"},
			"users {pql:resolve:pql.unresolved:":    {Removed, "", false, "stays as a key until about 2026-07-31", ""},
			"users_changelog pql.resolve.changelog": {Replaced, "2026-07-02", false, "about 2026-07-31 its tombstone", ""},
			"source accounts":                       {Kept, "", true, "", "tombstone"},
		}},
		"an account with users": {Erasure{Account: "acme", Linked: 3}, map[string]is{
			"users {pql:resolve:pql.unresolved:": {Kept, "", true, "by its id: 3", "pqlstream erase user ID"},
		}},
		"a user whom nobody knows": {Erasure{User: "ana"}, map[string]is{"states {pql:activation:pql.usage:": {Absent, "", false, "no account knows", ""}}},
	} {
		got := reportOf(&c.erasure, true, keeps)
		if name == "an account" {
			require.Len(t, got, len(c.want))
		}
		for place, want := range c.want {
			p, there := got[place]
			require.True(t, there, "%s: %s of %v", name, place, got)
			until := ""
			if p.Until != nil {
				until = p.Until.Format(time.DateOnly)
			}
			assert.Equal(t, []any{want.outcome, want.until, want.endless}, []any{p.Outcome, until, p.Endless}, "%s: %s", name, place)
			assert.Contains(t, p.Detail, want.says, "%s: %s", name, place)
			assert.Equal(t, want.remedy == "", p.Remedy == "", "%s: %s", name, place)
			assert.Contains(t, p.Remedy, want.remedy, "%s: %s", name, place)
		}
	}
	for place, p := range reportOf(&Erasure{Account: "acme", Linked: 1}, false, keeps) {
		assert.NotContains(t, []Outcome{Removed, Replaced, Tombstoned}, p.Outcome, "%s: it is not done yet", place)
	}
}
