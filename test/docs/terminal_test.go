package docs

import (
	"context"
	"strings"

	"github.com/creack/pty"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// conversation is what somebody at a terminal sees of a command, and then types.
type conversation struct {
	program string
	needs   string // a flag that it comes of
	unless  string // a flag that spares it
	turns   []turn
	code    int // what the command ends with
}

type turn struct{ see, say string }

const interrupt = "\x03" // Ctrl-C

// conversations are those of the commands that ask something, or go on until somebody has had enough.
var conversations = []conversation{
	{program: "pqlstream erase", unless: "--yes", turns: []turn{{"Type yes to go on:", "yes\n"}}},
	{program: "pqlstream checklist init", unless: "--self-served", turns: []turn{
		{"Which file shall it be?", "\n"}, {"how many served themselves", "8\n"}, {"the checklist's name?", "\n"}, {"Which event is a sign-up?", "account_created\n"},
		{"Which event is a conversion", "subscription_started\n"}, {"How many days does a trial take?", "\n"}, {"how many people the company has?", "\n"},
		{"1:", "project_created\n"}, {"2:", "invite_accepted\n"}, {"3:", "\n"},
	}},
	{program: "pqlstream top", needs: "--metrics-url", turns: []turn{{"2 of 2 processes ready", ""}, {"activation", "q"}}},
	{program: "pqlstream top", unless: "--once", turns: []turn{{"1 of 1 processes ready", ""}, {"activation", "q"}}},
	{program: "pqlstream simulate", needs: "--live", turns: []turn{{"events sent", interrupt}}},
	{program: "pqlstream simulate", needs: "--rate", turns: []turn{{"events sent", interrupt}}, code: 1},
}

// conversationOf returns the conversation that a command holds, nil if it holds none.
func conversationOf(c *command) *conversation {
	for i := range conversations {
		it := &conversations[i]
		if strings.HasPrefix(c.program()+" ", it.program+" ") && strings.Contains(c.line, it.needs) && (it.unless == "" || !strings.Contains(c.line, it.unless)) {
			return it
		}
	}
	return nil
}

// converse runs a line on a terminal.
func (r *reader) converse(line string, c *conversation) string {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	run := r.shell(ctx, line)
	terminal, err := pty.StartWithSize(run, &pty.Winsize{Rows: 50, Cols: 150})
	require.NoError(r.t, err)
	defer terminal.Close()
	var seen strings.Builder
	buffer, turns, from := make([]byte, 4096), c.turns, 0
	for {
		n, err := terminal.Read(buffer)
		seen.Write(buffer[:n])
		if err != nil { // the command has ended
			break
		}
		for len(turns) > 0 {
			at := strings.Index(seen.String()[from:], turns[0].see)
			if at < 0 {
				break
			}
			from += at + len(turns[0].see)
			_, err := terminal.WriteString(turns[0].say)
			require.NoError(r.t, err, "%s: %s", line, seen.String())
			turns = turns[1:]
		}
	}
	code := exitCode(r.t, run.Wait())
	require.NoError(r.t, ctx.Err(), "%s: %s", line, seen.String())
	assert.Empty(r.t, turns, "%s: %s", line, seen.String())
	assert.Equal(r.t, c.code, code, "%s: %s", line, seen.String())
	return seen.String()
}
