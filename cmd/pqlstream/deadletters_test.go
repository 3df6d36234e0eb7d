package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/embedded"
)

func TestDeadLettersAreListedAndSentAgain(t *testing.T) {
	servers, err := embedded.Start(embedded.Options{})
	require.NoError(t, err)
	defer servers.Close()
	publish(t, servers, "acme ana project_created", "beta bob project_created")
	flags := eraseFlagsFor(t, servers)
	run := func(args ...string) result {
		return pqlstream(t, append(append([]string{"dead-letters"}, args...), flags...)...)
	}
	process := func(flags ...string) (stop func()) {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan int, 1)
		go func() { ended <- execute(ctx, append([]string{"run"}, flags...), t.Output(), t.Output()) }()
		return func() { cancel(); require.Equal(t, exitDone, <-ended) }
	}
	list := func(args ...string) (page lettersPage) {
		r := run(append([]string{"list", "-o", "json"}, args...)...)
		if r.code == exitDone {
			require.NoError(t, json.Unmarshal([]byte(r.stdout), &page))
		}
		return page
	}
	r := run("list")
	assert.Equal(t, exitFailed, r.code)
	assert.Contains(t, r.stderr, "there is no topic pql.dead-letters; run `pqlstream topics create`")

	settings, err := os.ReadFile(flags[1])
	require.NoError(t, err)
	const source = "{topic: usage, format: json}"
	require.Contains(t, string(settings), source)
	wrong := write(t, strings.Replace(string(settings), source, "{topic: usage, format: json, fields: {event: happened}}", 1))
	stop := process("--config", wrong)
	require.Eventually(t, func() bool { return list().Total == 2 }, time.Minute, 50*time.Millisecond)
	stop()

	page := list("--code", "event_missing", "--topic", "usage", "--since", "1h")
	require.Len(t, page.Items, 2)
	letter := page.Items[0]
	assert.Equal(t, "ingest", letter.Stage)
	assert.Contains(t, string(letter.Value), `"event":"project_created"`)
	assert.Equal(t, len(letter.Key)+len(letter.Value), letter.Size)
	assert.Zero(t, list("--code", "undecodable").Total)
	r = run("list", "--limit", "1")
	assert.Regexp(t, `^FAILED \(UTC\) +STAGE +CODE +TOPIC-PARTITION@OFFSET +BYTES +DETAIL\n20\S+ \S+ +ingest +event_missing +usage-\d@\d +\d+ +event: is missing\n`, r.stdout)
	assert.Contains(t, r.stdout, "\n1 of 2; for more: --limit\n")
	assert.Equal(t, "none\n", run("list", "--until", "1h").stdout)

	replay := func(args ...string) (report replayReport) {
		r := run(append([]string{"replay", "-o", "json"}, args...)...)
		require.Equal(t, exitDone, r.code, r.stderr)
		require.NoError(t, json.Unmarshal([]byte(r.stdout), &report))
		return report
	}
	dry := replay("--code", "event_missing", "--dry-run")
	assert.Equal(t, []replayTarget{{"usage", "event_missing", 2}}, dry.To)
	assert.True(t, dry.DryRun)
	assert.Zero(t, dry.Sent)
	sent := replay("--id", letter.ID, "--yes")
	assert.Equal(t, 1, sent.Sent)
	assert.Contains(t, sent.Doubles, "does not count again")
	stop = process(flags...)
	account := string(letter.Key)
	require.Eventually(t, func() bool {
		return strings.Contains(pqlstream(t, append([]string{"explain", account}, flags...)...).stdout, "is a PQL")
	}, time.Minute, 50*time.Millisecond)
	stop()
	other := page.Items[1]
	assert.Equal(t, exitNotFound, pqlstream(t, append([]string{"explain", string(other.Key)}, flags...)...).code, "it was not asked for")

	r = run("replay", "--since", "1h", "--to", "pql.usage", "--yes")
	assert.Equal(t, exitFailed, r.code)
	assert.Contains(t, r.stdout, "0 of 2 dead letters are sent again.\n\nNot sent: usage-")
	assert.Contains(t, r.stdout, "only pqlstream writes to pql.usage.\n")
	assert.Contains(t, r.stderr, "none of the 2 dead letters can be sent again")
	r = run("replay", "--id", "usage-0@4711", "--yes")
	assert.Equal(t, exitNotFound, r.code)
	assert.Contains(t, r.stderr, "there is no such dead letter: usage-0@4711")
	assert.Equal(t, "There are no such dead letters.\n", run("replay", "--code", "undecodable", "--yes").stdout)
}

func TestDeadLettersAreAskedForRight(t *testing.T) {
	for line, want := range map[string]string{
		"dead-letters replay --yes":                "which are to be sent again?",
		"dead-letters replay --code a":             "--yes: here is nobody to ask",
		"dead-letters replay --id usage-1 --yes":   "--id usage-1: it is topic-partition@offset",
		"dead-letters list --limit -1":             "--limit -1: it is a number of letters",
		"dead-letters list --since yesterday":      "--since yesterday: it is a time",
		"dead-letters replay --since soon --yes":   "--since soon: it is a time",
		"dead-letters replay --until soon --yes":   "--until soon: it is a time",
		"dead-letters lst":                         `unknown command "lst"`,
		"dead-letters list --output xml":           "it is table, json or yaml",
		"dead-letters replay --dry-run --to usage": "which are to be sent again?",
	} {
		r := pqlstream(t, strings.Fields(line)...)
		assert.Equal(t, exitMisused, r.code, line)
		assert.Empty(t, r.stdout, line)
		assert.Contains(t, r.stderr, want, line)
	}
}

func TestWhoSendsDeadLettersAgainIsAsked(t *testing.T) {
	report := &replayReport{Selected: 3, Sendable: 2, To: []replayTarget{{"usage", "unknown_schema", 2}}}
	var out bytes.Buffer
	require.NoError(t, confirmReplay(report, newQuestions(strings.NewReader("yes\n"), &out)))
	assert.Equal(t, "2 of 3 dead letters can be sent again.\n\nTO     CODE            LETTERS\nusage  unknown_schema        2\n\n"+doubles+
		"\nIs what was wrong mended? Type yes to send them: ", out.String())
	for _, answer := range []string{"", "\n", "y\n", "no\n"} {
		assert.ErrorIs(t, confirmReplay(report, newQuestions(strings.NewReader(answer), &bytes.Buffer{})), errNotSent, answer)
	}
}
