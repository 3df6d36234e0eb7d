package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const pass = `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"noise\n"}
{"Action":"pass","Package":"p","Test":"TestA/sub"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Output":"PASS\n"}
{"Action":"output","Package":"p","Output":"ok  \tp\t0.1s\n"}
{"Action":"pass","Package":"p"}
`

const skip = `{"Action":"output","Package":"p","Test":"TestS","Output":"=== RUN   TestS\n"}
{"Action":"output","Package":"p","Test":"TestS","Output":"    s_test.go:15: Redis: install one: it is easy\n"}
{"Action":"output","Package":"p","Test":"TestS","Output":"--- SKIP: TestS (0.00s)\n"}
{"Action":"skip","Package":"p","Test":"TestS"}
`

const fail = `{"Action":"output","Package":"q","Test":"TestF","Output":"wrong\n"}
{"Action":"fail","Package":"q","Test":"TestF"}
{"Action":"fail","Package":"q"}
`

const timeout = `{"Action":"output","Package":"q","Test":"TestT","Output":"panic: test timed out\n"}
{"Action":"fail","Package":"q"}
`

const build = `{"Action":"build-output","ImportPath":"r","Output":"r.go:1: syntax error\n"}
{"Action":"fail","Package":"r"}
`

func TestReport(t *testing.T) {
	for name, c := range map[string]struct {
		in     string
		ci     bool
		want   string
		passed bool
	}{
		"passed":                {pass, true, "ok  \tp\t0.1s\n\n1 passed, 0 failed, 0 skipped\n", true},
		"failed shows why":      {pass + fail, false, "ok  \tp\t0.1s\nwrong\n\n1 passed, 1 failed, 0 skipped\n", false},
		"cut off shows why":     {pass + timeout, false, "ok  \tp\t0.1s\npanic: test timed out\n\n1 passed, 0 failed, 0 skipped\n", false},
		"not built shows why":   {pass + build, false, "ok  \tp\t0.1s\nr.go:1: syntax error\n\n1 passed, 0 failed, 0 skipped\n", false},
		"no test":               {"", false, "\n0 passed, 0 failed, 0 skipped\n", false},
		"other lines are shown": {"go: no such thing", false, "go: no such thing\n0 passed, 0 failed, 0 skipped\n", false},
		"skipped is said": {pass + skip, false, "ok  \tp\t0.1s\n\nSKIPPED, not tested here:\n" +
			"  - p TestS: Redis: install one: it is easy\n\n1 passed, 0 failed, 1 skipped\n", true},
		"skipped fails in CI": {pass + skip, true, "ok  \tp\t0.1s\n\nSKIPPED, not tested here:\n" +
			"  - p TestS: Redis: install one: it is easy\nIn CI nothing may be skipped.\n\n1 passed, 0 failed, 1 skipped\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			r := newReport(&out)
			require.NoError(t, r.read(strings.NewReader(c.in)))
			require.Equal(t, c.passed, r.close(c.ci))
			require.Equal(t, c.want, out.String())
		})
	}
}
