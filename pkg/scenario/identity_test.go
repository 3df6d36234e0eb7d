package scenario

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestUpdateWritesWhatComesOfRequests(t *testing.T) {
	assert.Equal(t, `checklist: list.yaml
hold: 24h 1
scenario: who is who
  +0d acme ana a
    => active
    => step_done a rate 25%
  +0d - bob b x2   # one of them has no room
    => dead_letter reason user_without_account detail hold_events user bob event event-2 at +0d 00:00
  +0d - cleo c
  +2d merge acme into whole
    => dead_letter reason user_without_account detail hold user bob event event-3 by timer at +1d 00:00
    => dead_letter reason user_without_account detail hold user cleo event event-4 by timer at +1d 00:00
    => merged account acme into whole
    => absorbed from acme
    => active
    => step_done a rate 25%
  check acme  tier small  rate 0% of 75%  no pql  missing a,b,c,d
  +2d erase user ana
    => user_erased account whole partly erased
  +2d erase account acme
    => erased
    => erased account whole
`, updated(t, `checklist: list.yaml
hold: 24h 1
scenario: who is who
  +0d acme ana a
  +0d - bob b x2   # one of them has no room
  +0d - cleo c
  +2d merge acme into whole
  check acme
  +2d erase user ana
  +2d erase account acme
    => erased
    => erased
`))
}

// Lines that expect of one account what came of another are wrong.
func TestWhatComesOfAMergeIsOfItsWhole(t *testing.T) {
	text := "checklist: x\nshow: merged absorbed\nscenario: s\n +0d old ana a\n +0d merge old into acme\n  => merged account old into acme\n  => absorbed from old\n"
	assert.Empty(t, diffs(t, text))
	assert.Contains(t, diffs(t, strings.ReplaceAll(text, "account old ", "")), "+   => merged account old into acme\n")
	assert.Contains(t, diffs(t, strings.ReplaceAll(text, "=> absorbed", "=> absorbed account old")), "+   => absorbed account acme from old\n")
	assert.Contains(t, diffs(t, strings.ReplaceAll(text, "into acme\n  => absorbed", "into other\n  => absorbed")), "+   => merged account old into acme\n")
}

// Words that begin a request can still be names.
func TestNamesThatLookLikeRequests(t *testing.T) {
	assert.Empty(t, diffs(t, `checklist: x
show: step_done
scenario: s
 +0d "erase" account a
   => step_done a account erase user account
 +0d merge ana a
   => step_done a account merge user ana
 +0d "-" ana a
   => step_done a account "-"
`))
}

func TestAnotherChecklistComesIntoForce(t *testing.T) {
	lists := map[string]string{"x": list, "y": strings.ReplaceAll(list, "{id: a, kind: event, event: a}", "{id: a, kind: event, event: other}")}
	parse := func(lines string) (*File, error) {
		return Parse("x.scenario", []byte("checklist: x\nscenario: s\n +0d acme ana a\n"+lines), func(path string) ([]byte, error) {
			if lists[path] == "" {
				return nil, fmt.Errorf("no %s", path)
			}
			return []byte(lists[path]), nil
		})
	}
	file, err := parse("  => active\n  => step_done a\n +1d checklist y\n +1d acme ana other\n +1d new ana other\n  => active\n  => step_done a\n" +
		"scenario: t\n +0d acme ana a\n  => active\n  => step_done a\n")
	require.NoError(t, err)
	for _, r := range ran(file) {
		assert.Empty(t, r.Diff(), "what is done stays done, and each scenario begins with the file's checklist")
	}
	for lines, want := range map[string]string{
		" +1d checklist y\n +1d acme ana a\n": "x.scenario:5: the checklist does not listen to a: correct the name, or write @ignored if that is meant",
		" +1d acme ana other\n":               "x.scenario:4: the checklist does not listen to other: correct the name, or write @ignored if that is meant",
		" +1d checklist z\n +1d acme ana b\n": "x.scenario:4: reading the checklist: no z",
		" +2d acme ana b\n +1d checklist y\n": "x.scenario:5: time has come to +2d 00:00 already: write a later moment",
	} {
		_, err := parse(lines)
		assert.EqualError(t, err, want, lines)
	}
}

func TestHowLongAndHowManyWait(t *testing.T) {
	for head, want := range map[string]string{
		"": "72h0m0s 100", "hold: 2d\n": "48h0m0s 100", "hold: 90m 7 # both\n": "1h30m0s 7",
		"hold:\n": "", "hold: 7\n": "", "hold: 0h\n": "", "hold: 1h 0\n": "", "hold: 1h 10001\n": "", "hold: 1h -1\n": "", "hold: 1h 2 3\n": "",
	} {
		file, err := Parse("x.scenario", []byte("checklist: x\n"+head+"scenario: s\n +0d acme ana a\n"), reading)
		if want == "" {
			assert.ErrorContains(t, err, "x.scenario:2: hold: ", head)
			continue
		}
		require.NoError(t, err, head)
		assert.Equal(t, want, fmt.Sprintf("%v %d", time.Duration(file.limits.Hold)*time.Millisecond, file.limits.Events))
	}
}

// A chain of aliases that is too long ends in a dead letter.
func TestAnEndlessChain(t *testing.T) {
	var b strings.Builder
	for i := range 66 {
		fmt.Fprintf(&b, " +0d merge a%d into a%d\n", i, i+1)
	}
	assert.Empty(t, diffs(t, "checklist: x\nshow: dead_letter step_done\nscenario: s\n"+b.String()+
		" +0d a2 ana a\n   => step_done a account a66\n +0d a1 ana a @id=lost\n   => dead_letter reason unanswerable event lost user ana\n"))
}
