package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/app"
	"github.com/pqlstream/pqlstream/pkg/embedded"
)

// eraseFlagsFor are the settings of a deployment that resolves users, on servers with a topic of JSON events.
func eraseFlagsFor(t *testing.T, servers *embedded.Servers) []string {
	return []string{"--config", write(t, fmt.Sprintf(`
stages: [ingest, resolve, activation]
checklist: %s
kafka: {brokers: [%q], create_topics: true}
redis: {addresses: [%q], buckets: 16}
registry: {directory: %s}
output: {format: json}
input:
  usage_partitions: 2
  sources: [{topic: usage, format: json}]
  identity: {users_without_account: resolve}
http: {address: "127.0.0.1:0"}
api: {address: "127.0.0.1:0"}
log: {level: error}
`, write(t, validChecklist), strings.Join(servers.Brokers(), ","), servers.RedisAddr(), t.TempDir()))}
}

// publish puts events onto a topic: ACCOUNT USER EVENT.
func publish(t *testing.T, servers *embedded.Servers, events ...string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(servers.Brokers()...))
	require.NoError(t, err)
	defer client.Close()
	_, _ = kadm.NewClient(client).CreateTopic(t.Context(), 2, 1, nil, "usage") // unless it is there
	for _, event := range events {
		part := strings.Fields(event)
		value := fmt.Sprintf(`{"account_id":%q,"user_id":%q,"event":%q,"occurred_at":%d}`, part[0], part[1], part[2], time.Now().UnixMilli())
		require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: "usage", Key: []byte(part[0]), Value: []byte(value)}).FirstErr())
	}
}

func TestErase(t *testing.T) {
	servers, err := embedded.Start(embedded.Options{})
	require.NoError(t, err)
	defer servers.Close()
	publish(t, servers, "acme ana project_created", "beta bob project_created", "gamma ana project_created")
	flags := eraseFlagsFor(t, servers)
	run := func(args ...string) result { return pqlstream(t, append(args, flags...)...) }
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	running := make(chan int, 1)
	go func() { running <- execute(ctx, append([]string{"run"}, flags...), t.Output(), t.Output()) }()
	for _, id := range []string{"acme", "beta", "gamma"} {
		require.Eventually(t, func() bool { return run("explain", id).code == exitDone }, time.Minute, 50*time.Millisecond)
	}

	r := run("erase", "user", "ana", "--account", "beta", "--yes", "-o", "json")
	require.Equal(t, exitDone, r.code, r.stderr)
	assert.Empty(t, r.stderr)
	var report app.EraseReport
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &report))
	assert.True(t, report.Done)
	assert.Equal(t, "ana", report.User)
	assert.Equal(t, []app.ReportTarget{
		{Is: app.TellsUsers, Done: true}, {Account: "acme", Is: app.KnowsUser, Done: true, PartlyErased: true},
		{Account: "gamma", Is: app.KnowsUser, Done: true, PartlyErased: true},
		{Account: "beta", Is: app.Named, Done: true},
	}, report.Asked)
	for _, p := range report.Places {
		assert.NotEqual(t, app.Pending, p.Outcome)
		assert.NotEmpty(t, p.Detail)
	}
	r = run("explain", "acme")
	assert.NotContains(t, r.stdout, "ana")
	assert.Contains(t, r.stdout, "by nobody in particular")

	r = run("erase", "account", "acme", "--yes")
	require.Equal(t, exitDone, r.code, r.stderr)
	assert.Contains(t, r.stdout, "Account \"acme\" is erased.\n\naccount \"acme\"  done\n\nWHERE ")
	assert.Regexp(t, `\nusage +pql\.usage +kept +20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC\n`, r.stdout)
	assert.Regexp(t, `\ncurrent +pql\.current +tombstoned +20\d\d-`, r.stdout)
	assert.Contains(t, r.stdout, "\nusage (pql.usage): for 30 days (retention.ms)")
	assert.Contains(t, run("explain", "acme").stdout, "Account acme was erased")

	for _, what := range []string{"account", "user"} {
		r = run("erase", what, "stranger", "--yes")
		require.Equal(t, exitDone, r.code, r.stderr)
		assert.Contains(t, r.stdout, " \"stranger\" is erased; nothing was known of it: is the id right?\n\n")
	}
	assert.False(t, report.Unknown)

	stop()
	assert.Equal(t, exitDone, <-running)
	r = run("erase", "account", "beta", "--yes", "--timeout", "2s")
	assert.Equal(t, exitUnseen, r.code)
	assert.Contains(t, r.stdout, "Account \"beta\" is being erased: it was asked for and not seen done.\n")
	assert.Contains(t, r.stdout, "account \"beta\"  asked\n")
	assert.True(t, strings.HasPrefix(r.stderr, "pqlstream: asked for, and it will be done, but it is not seen yet of account \"beta\": are the processes"), r.stderr)
	r = run("erase", "account", "beta", "--yes", "--no-wait")
	assert.Equal(t, exitDone, r.code, "that is what it was told to do")
	r = run("erase", "user", "ana", "--yes", "--account", "nobody")
	assert.Equal(t, exitNotFound, r.code)
	assert.Contains(t, r.stderr, `nothing is known of account "nobody"`)
}

func TestEraseIsRefused(t *testing.T) {
	for line, want := range map[string]string{
		"erase account acme":                   "--yes: erasing can't be undone, and here is nobody to ask",
		"erase user ana --config " + example:   "--yes: erasing can't be undone",
		"erase account acme --yes":             "the settings are not valid",
		"erase user":                           "accepts 1 arg(s), received 0",
		"erase account acme --account beta":    "unknown flag: --account",
		"erase account a --yes -c " + example:  "input.mode: erasing needs the ingest stage",
		"erase user a --yes --config none.yml": "reading the settings: open none.yml",
	} {
		r := pqlstream(t, strings.Fields(line)...)
		assert.NotEqual(t, exitDone, r.code, line)
		assert.Empty(t, r.stdout, line)
		assert.Contains(t, r.stderr, want, line)
		switch {
		case strings.Contains(want, "settings") || strings.Contains(want, "input.mode"):
			assert.Equal(t, exitRefused, r.code, line)
		default:
			assert.Equal(t, exitMisused, r.code, line)
		}
	}
	r := pqlstream(t, "erase", "account", "acme", "--output", "xml", "--yes")
	assert.Equal(t, `pqlstream: invalid argument "xml" for "-o, --output" flag: it is table, json or yaml`+"\n", r.stderr)
}

// The error says what a client warns of meanwhile.
func TestEraseTellsOnceThatKafkaIsAway(t *testing.T) {
	servers, err := embedded.Start(embedded.Options{})
	require.NoError(t, err)
	defer servers.Close()
	args := append([]string{"erase", "account", "a", "--yes", "--timeout", "1s"}, eraseFlagsFor(t, servers)...)
	r := pqlstream(t, append(args, "--set", "kafka.brokers=127.0.0.1:1", "--set", "log.level=warn")...)
	assert.Equal(t, exitUnreached, r.code)
	assert.Equal(t, 1, strings.Count(r.stderr, "\n"), r.stderr)
	assert.True(t, strings.HasPrefix(r.stderr, "pqlstream: "), r.stderr)
}

func TestWhoErasesIsAsked(t *testing.T) {
	of := func(is app.Role, ids ...string) (targets []*app.Target) {
		for _, id := range ids {
			targets = append(targets, &app.Target{Account: id, Is: is})
		}
		return targets
	}
	for want, x := range map[string]*app.Erasure{
		`Everything about account "acme" is to be erased.`: {Account: "acme", Targets: of(app.TheAccount, "acme")},
		`Everything about account "b" is to be erased.
It was merged into account "acme": they are one, and are erased together.
Accounts that were merged into it are erased with it: "b", "c".
Users who are known to belong to it and stay: 4.`: {Account: "b", Linked: 4, Targets: append(of(app.TheAccount, "acme"), of(app.MergedIn, "b", "c")...)},
		"Everything about account \"x\" is to be erased.\nNothing is known of it: is the id right?": {Account: "x", Unknown: true, Targets: of(app.TheAccount, "x")},
		"User \"ana\" is to be erased.\nNo account knows the user.":                                 {User: "ana"},
		`User "\x1b[2J" is to be erased.
Accounts that know the user: "acme", "b".
Accounts that were named: "c".
The accounts that the user is known to belong to are asked as well, and events that wait for one are dropped.`: {User: "\x1b[2J", Targets: append(append(of(app.TellsUsers, ""),
			of(app.KnowsUser, "acme", "b")...), of(app.Named, "c")...)},
	} {
		var out bytes.Buffer
		require.NoError(t, confirm(x, newQuestions(strings.NewReader("yes\n"), &out)))
		assert.Equal(t, want+"\nIt can't be undone. Type yes to go on: ", out.String())
	}
	for _, answer := range []string{"", "\n", "y\n", "no\n", "yes!"} {
		err := confirm(&app.Erasure{User: "ana"}, newQuestions(strings.NewReader(answer), &bytes.Buffer{}))
		assert.ErrorIs(t, err, errNotMeant, answer)
	}
}

func TestAReportInWords(t *testing.T) {
	until := time.Date(2026, 8, 7, 1, 2, 3, 0, time.UTC)
	var out bytes.Buffer
	require.NoError(t, writeErasure(&out, &app.EraseReport{
		User: "ana", Done: true,
		Asked: []app.ReportTarget{{Done: true}, {Account: "acme", Done: true, PartlyErased: true}, {Account: "beta", Done: true, KnownAgain: true}},
		Places: []app.Place{
			{Place: "states", Name: "{pql:", Outcome: app.Removed, Detail: "from accounts: 2"},
			{Place: "usage", Name: "pql.usage", Outcome: app.Kept, Until: &until, Detail: "for 30 days"},
			{Place: "events", Name: "pql.events", Outcome: app.Kept, Endless: true, Detail: "without end", Remedy: "run this"},
			{Place: "lifecycle", Name: "pql.lifecycle", Outcome: app.Kept, Detail: "not known"},
		},
	}))
	assert.Equal(t, `User "ana" is erased.

resolve         done
account "acme"  done, partly erased
account "beta"  done, known again by what came later

WHERE      NAME           WHAT     HELD UNTIL
states     {pql:          removed  -
usage      pql.usage      kept     2026-08-07 01:02:03 UTC
events     pql.events     kept     without end
lifecycle  pql.lifecycle  kept     not known

states ({pql:): from accounts: 2.
usage (pql.usage): for 30 days.
events (pql.events): without end.
  What to do: run this.
lifecycle (pql.lifecycle): not known.
`, out.String())
}
