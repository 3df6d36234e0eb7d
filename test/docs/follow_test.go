package docs

import (
	"context"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// follow does what a block of commands says.
func (r *reader) follow(b *block, commands []command) {
	r.t.Helper()
	r.prepare(b.text)
	for _, c := range commands {
		out := r.do(&c)
		assertAnswers(r.t, b.at()+": "+c.line, c.answer, out)
	}
}

// do runs a command to its end, or until it has done what it is for, and returns what it said.
func (r *reader) do(c *command) string {
	r.t.Helper()
	switch program := c.program(); {
	case strings.HasPrefix(program, "make "):
		return r.make(strings.TrimPrefix(program, "make "))
	case program == "pqlstream run":
		beside := reader{r.t, r.dir, r.at.beside(r.t)}
		beside.start(c.line)
		return ""
	case strings.Contains(c.line, "/v1/pqls/events"):
		return r.listen(c.line)
	case strings.Contains(c.line, "/v1/checklist/diff"):
		hash := regexp.MustCompile(`[0-9a-f]{32}`).FindString(r.until("curl -fsS http://127.0.0.1:7480/v1/checklist/versions", 0))
		require.NotEmpty(r.t, hash)
		return r.patient(regexp.MustCompile(`=(aa|bb)\b`).ReplaceAllString(c.line, "="+hash))
	case strings.Contains(c.line, "$TOKEN"):
		return r.withToken(c.line)
	default:
		if spoken := conversationOf(c); spoken != nil {
			return r.converse(c.line, spoken)
		}
		return r.patient(c.line)
	}
}

// beside is where another process of the same deployment is.
func (p place) beside(t *testing.T) place {
	t.Helper()
	p.http, p.api = freeAddress(t), freeAddress(t)
	return p
}

// patient runs a line that has to succeed, again as often as the pages say that it can be.
func (r *reader) patient(line string) (output string) {
	r.t.Helper()
	notReady := []int{5} // docs/cli.md: "Try again in a moment", as while processes come and go
	if strings.Contains(line, "--max ") {
		notReady = append(notReady, 1) // docs/migration.md: "as long as some partition lags by more"
	}
	var code int
	require.Eventually(r.t, func() bool {
		code, output = r.sh(line)
		return !slices.Contains(notReady, code) && !strings.Contains(output, "returned error: 503") // which is how the API says so
	}, patience, 50*time.Millisecond, "%s", line)
	assert.Zero(r.t, code, "%s: %s", line, output)
	return output
}

// make has make say what it would do: the tests are themselves what some of it does.
func (r *reader) make(target string) string {
	r.t.Helper()
	c := exec.CommandContext(r.t.Context(), "env", "-u", "MAKEFLAGS", "-u", "MAKELEVEL", "make", "-n", "-C", root, target)
	out, err := c.CombinedOutput()
	require.NoError(r.t, err, "make %s: %s", target, out)
	return string(out)
}

// listen runs a line that tells what happens, and has something happen until it ends.
func (r *reader) listen(line string) string {
	r.t.Helper()
	type result struct {
		out []byte
		err error
	}
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	c := r.shell(ctx, "set +o pipefail; "+line) // head ends before curl
	ended := make(chan result, 1)
	go func() { out, err := c.CombinedOutput(); ended <- result{out, err} }()
	for seed := 2; ; seed++ {
		select {
		case told := <-ended:
			require.NoError(r.t, told.err, "%s: %s", line, told.out)
			assert.Contains(r.t, string(told.out), "event: ", line)
			return string(told.out)
		default:
			r.patient("pqlstream simulate --config pqlstream.yaml --accounts 50 --seed " + string(rune('0'+seed%10)))
		}
	}
}

// withToken runs a line where a process asks for a token.
func (r *reader) withToken(line string) string {
	r.t.Helper()
	const token = "0123456789abcdef0123456789abcdef"
	r.write("pqlstream.yaml", merged(r.t, settingsOfTheDeployment(r.t), "stages: []\napi: {token_file: "+r.write("token", token+"\n")+"}\n"))
	beside := reader{r.t, r.dir, r.at.beside(r.t)}
	beside.start("pqlstream run --config pqlstream.yaml")
	code, _ := beside.sh("TOKEN=wrong; " + line)
	assert.Equal(r.t, 22, code, "%s: curl says so of 401", line)
	return beside.patient("TOKEN=" + token + "; " + line)
}
