package scenario

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// list is a checklist of four equal steps, for the tests of this package.
const list = `version: 1
name: four
preset: simple
signup: {event: account_created}
converted: {event: bought}
exclude: ['account.domain == "ours.test"']
properties:
  - {name: company_size, type: long, from: [{event: account_created}]}
  - {name: domain, type: string, from: [{event: account_created}]}
steps:
  - {id: a, kind: event, event: a}
  - {id: b, kind: count, event: b, at_least: 2}
  - {id: c, kind: distinct, event: c, of: user_id, at_least: 3}
  - {id: d, kind: days, event: d, at_least: 3, within: 7d}
`

// reading answers with the checklist, or one like it, whatever the path.
func reading(path string) ([]byte, error) {
	if path == "y" {
		return []byte(strings.ReplaceAll(list, "at_least: 2", "at_least: 1")), nil
	}
	return []byte(list), nil
}

func parsed(t testing.TB, text string) *File {
	t.Helper()
	f, err := Parse("x.scenario", []byte(text), reading)
	require.NoError(t, err)
	return f
}

// ran runs all scenarios.
func ran(f *File) (results []*Result) {
	for _, s := range f.Scenarios {
		results = append(results, f.Run(s))
	}
	return results
}

func updated(t testing.TB, text string) string {
	t.Helper()
	f := parsed(t, text)
	return string(f.Update(ran(f)))
}

func diffs(t testing.TB, text string) string {
	t.Helper()
	var b strings.Builder
	for _, r := range ran(parsed(t, text)) {
		require.NoError(t, r.Err)
		b.WriteString(r.text())
	}
	return b.String()
}

const small = `checklist: list.yaml
scenario: small accounts need three of four
  +0d 09:00  acme  ana  account_created company_size=20
    => signed_up
  +1d 10:00  acme  ana  a
    => active
    => step_done a rate 25%
  +1d 10:00  acme  -    b x2 every 1h   # the second does it
    => step_done b rate 50% at +1d 11:00
  check acme  rate 50%  no pql  missing d,c  need b -  progress of d 0%  # in any order
  +2d 10:00  acme  u{n} c x3
    => step_done c rate 75%
    => qualified tier small rate 75% of 75% playbook in-app-nudge
  check acme  pql  count of b 2  events of u1 1  users ana,u1,u2,u3  no single user  active users 4  property company_size 20
  +3d        time passes
  +3d 10:00  acme  ana  bought
    => converted
  check acme  converted  no pql  playbook -  tier small
`

func TestAScenarioThatIsTrue(t *testing.T) {
	assert.Empty(t, diffs(t, small))
	assert.Equal(t, small, updated(t, small))
}

func TestWhatElseComesIsShown(t *testing.T) {
	wrong := strings.NewReplacer(
		"step_done a rate 25%", "step_done a  rate 20%  on time # why",
		"    => qualified tier small rate 75% of 75% playbook in-app-nudge\n", "",
		"    => converted\n", "    => converted\n    => churned\n",
		"check acme  pql  count of b 2", "check acme  no pql  count of b 2",
	).Replace(small)
	assert.Equal(t, `   4       => signed_up
   5     +1d 10:00  acme  ana  a
   6       => active
   7 -     => step_done a  rate 20%  on time # why
     +     => step_done a  rate 25%  on time # why
   8     +1d 10:00  acme  -    b x2 every 1h   # the second does it
   9       => step_done b rate 50% at +1d 11:00
  10     check acme  rate 50%  no pql  missing d,c  need b -  progress of d 0%  # in any order
  11     +2d 10:00  acme  u{n} c x3
  12       => step_done c rate 75%
     +     => qualified tier small rate 75% of 75% playbook in-app-nudge at +2d 10:00
  13 -   check acme  no pql  count of b 2  events of u1 1  users ana,u1,u2,u3  no single user  active users 4  property company_size 20
     +   check acme  pql  count of b 2  events of u1 1  users ana,u1,u2,u3  no single user  active users 4  property company_size 20
  14     +3d        time passes
  15     +3d 10:00  acme  ana  bought
  16       => converted
  17 -     => churned
  18     check acme  converted  no pql  playbook -  tier small
`, diffs(t, wrong))
	fixed := updated(t, wrong)
	assert.Empty(t, diffs(t, fixed))
	assert.Equal(t, fixed, updated(t, fixed))
	assert.Contains(t, fixed, "    => step_done a  rate 25%  on time # why\n", "comments, layout and the choice of attributes stay")
}

func TestUpdateWritesWhatIsMissing(t *testing.T) {
	assert.Equal(t, `checklist: list.yaml
scenario: bare
	+0d acme ana a # first
	  => active
	  => step_done a rate 25%
	+0d acme ana b x2
	  => step_done b rate 50% at +0d 00:00
	check acme  tier small  rate 50% of 75%  no pql  missing c,d # so far
	+0d other ana a
	      => active
	      => step_done a rate 25%
`, updated(t, `checklist: list.yaml
scenario: bare
	+0d acme ana a # first
	+0d acme ana b x2
	check acme # so far
	+0d other ana a
	      => signed_up
`))
}

func TestACheckThatSaysNothingFails(t *testing.T) {
	assert.Contains(t, diffs(t, "checklist: x\nscenario: s\n +0d acme ana x @ignored\n check acme\n"), "- ")
}

func TestOnlyWhatIsShownIsCompared(t *testing.T) {
	assert.Empty(t, diffs(t, "checklist: x\nshow: qualified\nscenario: s\n +0d acme ana a\n +0d acme ana b x2\n +0d acme u{n} c x3\n  => qualified\n"))
}

func TestEachScenarioStartsFromNothing(t *testing.T) {
	one := " +0d acme ana a @id=1\n  => active\n  => step_done a\n"
	assert.Empty(t, diffs(t, "checklist: x\nscenario: s\n"+one+"scenario: t\n"+one))
}

func TestLinesAreInOrderOfArrival(t *testing.T) {
	assert.Empty(t, diffs(t, `checklist: x
disorder: 10m
show: step_done
scenario: what comes within the disorder is on time, what comes beyond is late and counts all the same
  +1d 10:00  acme  ana  x @ignored
  +1d 09:50  acme  ana  a
    => step_done a on time
  +1d 09:49  other ana  a
    => step_done a late at +1d 09:49
  +2d        time passes
  +2d 00:00  third ana  a
    => step_done a on time
  +1d 23:59  third ana  b x2
    => step_done b late
  +3d        fourth ana a @id=e
    => step_done a event e user ana account fourth
  +3d        fourth ana b @id=f x5
  check fourth  rate 25%
`))
}

func TestATransitionOfAnotherAccountIsNotTheLines(t *testing.T) {
	assert.Contains(t, diffs(t, "checklist: x\nshow: step_done\nscenario: s\n +0d a{n} ana a x2\n  => step_done a account a1\n  => step_done a account a1\n"),
		"+   => step_done a account a2")
	assert.Contains(t, diffs(t, "checklist: x\nshow: step_done\nscenario: s\n +0d acme ana a\n  => step_done a account other\n"), "+   => step_done a account acme")
	assert.Empty(t, diffs(t, "checklist: x\nshow: step_done\nscenario: s\n +0d a{n} ana a x2\n  => step_done a\n  => step_done a account a2\n"))
	assert.Contains(t, updated(t, "checklist: x\nshow: step_done\nscenario: s\n +0d a{n} ana a x2\n"), "=> step_done a account a2 rate 25% at +0d 00:00\n")
}

// live is a checklist of one step that is undone when its day is over.
const live = `checklist:
  version: 1
  name: live
  tiers: [{name: all, threshold: 1}]
  steps: [{id: a, kind: count, event: a, at_least: 1, within: 1d, live: true}]
`

func TestWhatComesOfOtherAccountsIsNotOfTheLines(t *testing.T) {
	text := live + "show: step_undone\nscenario: s\n +0d 10:00 acme ana a\n +2d 10:00 other ana x @ignored\n   => step_undone a\n"
	assert.Contains(t, diffs(t, text), "-    => step_undone a\n     +    => step_undone a account acme rate 0% by timer at +1d 00:00\n")
	assert.Empty(t, diffs(t, strings.ReplaceAll(text, "other ana x @ignored", "time passes")), "time's is of any")
}

func TestChecksAreAtTheLatestMoment(t *testing.T) {
	assert.Empty(t, diffs(t, `checklist: x
show: step_done
scenario: s
 +1d acme ana a
  => step_done a
 +0d other ana a
  => step_done a
 check acme active users 1
 +9d time passes
 check acme active users 0
`))
}

func TestAMissingTransitionIsTheOnlyDifference(t *testing.T) {
	all := []string{"   => step_done a rate 25% at +0d 00:00\n", "   => step_done a account n2\n", "   => step_done a account n3\n", "   => step_done a account n4\n"}
	head := "checklist: x\nshow: step_done\nscenario: s\n +0d n{n} ana a x4\n"
	for i := range all {
		var some string
		for j, line := range all {
			if i != j {
				some += line
			}
		}
		text := strings.ReplaceAll(diffs(t, head+some), "   => step_done", "=> step_done")
		assert.Equal(t, 1, strings.Count(text, " + "), text)
		assert.Equal(t, 0, strings.Count(text, " - "), text)
	}
	text := diffs(t, head+all[0]+all[1]+"   => step_done a account n9\n"+all[2]+"   => step_done a account n9\n"+all[3])
	assert.Equal(t, 0, strings.Count(text, " + "), text)
	assert.Equal(t, 2, strings.Count(text, " - "), text)
}

func TestValuesAreTyped(t *testing.T) {
	f := parsed(t, `checklist: x
scenario: s
  +0d "a me" - "two words" @ignored t=true n=-7 d=2.5 s=simple q="a \"b\" # c" quoted="7" quantity=2.5 empty= @id="e 1" "k=1"=v
`)
	ev := f.Scenarios[0].statements[0].events[0]
	assert.Equal(t, []string{"a me", "", "two words", "e 1"}, []string{ev.AccountID, ev.UserID, ev.Name, ev.ID})
	assert.InDelta(t, 2.5, ev.Quantity, 0)
	var kinds []string
	for _, p := range ev.Properties {
		kinds = append(kinds, p.Key+" "+[]string{"null", "bool", "long", "double", "string"}[p.Value.Kind()]+" "+p.Value.String())
	}
	assert.Equal(t, []string{
		"t bool true", "n long -7", "d double 2.5", "s string simple", `q string a "b" # c`, "quoted string 7", "empty string ", "k=1 string v",
	}, kinds)
}

func TestLinesThatEndAsOnWindowsStaySo(t *testing.T) {
	text := "checklist: x\r\nscenario: s\r\n  +0d acme ana a\r\n"
	assert.Equal(t, text+"    => active\r\n    => step_done a rate 25%\r\n", updated(t, text))
}

func TestEverythingThatIsWrongIsSaidAtOnce(t *testing.T) {
	text, err := os.ReadFile("testdata/wrong.scenario")
	require.NoError(t, err)
	want, err := os.ReadFile("testdata/wrong.txt")
	require.NoError(t, err)
	_, err = Parse("dir/x.scenario", text, func(path string) ([]byte, error) {
		assert.Equal(t, "dir/list.yaml", path)
		return []byte(strings.ReplaceAll(list, "at_least: 2", "at_least: 0")), nil
	})
	require.Error(t, err)
	assert.Equal(t, string(want), err.Error()+"\n")
	var problem *Problem
	require.ErrorAs(t, err, &problem)
	assert.Equal(t, Problem{File: "dir/list.yaml", Line: 12, Message: "steps[1].at_least: 0 is not above 0 and at most 1e+09"}, *problem)
}

func TestAChecklistThatIsNotThere(t *testing.T) {
	_, err := Parse("x.scenario", []byte("checklist: none.yaml\nscenario: s\n +0d a b c\n"), func(string) ([]byte, error) { return nil, errors.New("no such file") })
	assert.EqualError(t, err, "x.scenario:1: reading the checklist: no such file")
	_, err = Parse("x.scenario", nil, reading)
	assert.EqualError(t, err, "x.scenario:1: there is no checklist: write `checklist: PATH`, or `checklist:` and the checklist's lines, indented\n"+
		"x.scenario:1: there is no scenario: write `scenario: NAME` and what happens, indented")
}

func TestAChecklistInPlace(t *testing.T) {
	inPlace := "checklist:\n  " + strings.ReplaceAll(strings.TrimSpace(list), "\n", "\n  ") + "\n\n# about\n"
	assert.Empty(t, diffs(t, inPlace+"start: 2026-03-02\nscenario: s\n +0d acme ana a\n  => active\n  => step_done a\n"))
	_, err := Parse("x.scenario", []byte(strings.ReplaceAll(inPlace, "within", "wthin")+"scenario: s\n +0d a b c\n"), reading)
	assert.EqualError(t, err, "x.scenario:15: steps[3].wthin: unknown field; did you mean within?")
	_, err = Parse("x.scenario", []byte("# about\nchecklist:\nscenario: s\n +0d a b c\n"), reading)
	assert.EqualError(t, err, "x.scenario:2: the definition is empty")
}

func TestSlipsThatWouldPass(t *testing.T) {
	for lines, want := range map[string]string{
		" +0d acme ana a\n check acmee rate 0%\n": "x.scenario:4: no event of this scenario is of the account acmee: write one, or check acme",
		" +0d n{n} ana a x9\n check n rate 0%\n +0d \"a b\" ana a\nscenario: t\n +0d n ana a\n": "x.scenario:4: no event of this scenario is of the account n: " +
			"write one, or check \"a b\", n1, n2, n3, n4, ...",
		" check acme rate 0%\n +0d acme ana a\n": "",
		" check acme rate 0%\n +0d acme a\n": "x.scenario:4: after the moment come account and user (- for none) and event, such as `acme  ana  project_created`; or `time passes`, " +
			"`merge old into acme`, `erase account acme`, `erase user ana`, `checklist PATH`",
		" +0d acme ana aa\n check acmee pql\n": "x.scenario:3: the checklist does not listen to aa: correct the name, or write @ignored if that is meant\n" +
			"x.scenario:4: no event of this scenario is of the account acmee: write one, or check acme",
		" +0d acme ana aa @ignored\n check acme no pql\n":                   "",
		" +0d acme ana a{n} x2\n":                                           "x.scenario:3: the checklist does not listen to a1: correct the name, or write @ignored if that is meant",
		" +0d acme ana a @ignored\n":                                        "x.scenario:3: @ignored: the checklist listens to a",
		" +3d acme ana a\n +2d time passes\n":                               "x.scenario:4: time has come to +3d 00:00 already: write a later moment",
		" +3d time passes\n +2d acme ana a\n +2d time passes\n":             "x.scenario:5: time has come to +3d 00:00 already: write a later moment",
		" +1d acme ana a daily x3\n +2d time passes\n":                      "x.scenario:4: time has come to +3d 00:00 already: write a later moment",
		" +3d acme ana a\n +3d time passes\n +3d time passes\n":             "",
		" +3d acme ana a\nscenario: t\n +2d acme ana a\n +2d time passes\n": "",
	} {
		_, err := Parse("x.scenario", []byte("checklist: x\nscenario: s\n"+lines), reading)
		if want == "" {
			assert.NoError(t, err, lines)
		} else {
			assert.EqualError(t, err, want, lines)
		}
	}
}

// TestAnyEventMayTellAProperty also without being listened to by its name.
func TestAnyEventMayTellAProperty(t *testing.T) {
	any := strings.ReplaceAll(list, "from: [{event: account_created}]", "from: [{event: '*'}]")
	for line, right := range map[string]bool{"x domain=a.test": true, "x @ignored": true, "x": false, "x colour=red": false, "a": true, "x domain=a.test @ignored": false} {
		_, err := Parse("x.scenario", []byte("checklist: x\nscenario: s\n +0d acme ana "+line+"\n"), func(string) ([]byte, error) { return []byte(any), nil })
		assert.Equal(t, right, err == nil, "%s: %v", line, err)
	}
}

func TestAChecklistIsNoScenarioFile(t *testing.T) {
	_, err := Parse("list.yaml", []byte(list), reading)
	assert.EqualError(t, err, "list.yaml: this is a checklist, not a scenario file: a scenario file names it with `checklist: PATH`, "+
		"and `pqlstream checklist check` looks at it")
	_, err = Parse("x.scenario", []byte("steps:\nscenario: s\n"), reading)
	assert.ErrorContains(t, err, "x.scenario:1: steps: is none of checklist, start")
}

// TestStepsAreThoseThatSomethingIsExpectedOf also finds those that a scenario expects not to be done.
func TestStepsAreThoseThatSomethingIsExpectedOf(t *testing.T) {
	file, err := Parse("x.scenario", []byte(`checklist:
  version: 1
  name: five
  tiers: [{name: all, threshold: 1}]
  steps: [{id: a, kind: event, event: a}, {id: b, kind: event, event: b}, {id: c, kind: event, event: c}, {id: d, kind: event, event: d}, {id: e, kind: event, event: e}]

scenario: steps
  +0d  acme  ana  d
    => step_done d
  check acme  missing a,b  done d  need c "no c yet"
scenario: none
  +0d  acme  ana  e
`), nil)
	require.NoError(t, err)
	assert.Len(t, file.Checklist().Steps(), 5)
	assert.Equal(t, []string{"a", "b", "c", "d"}, file.Scenarios[0].Steps())
	assert.Empty(t, file.Scenarios[1].Steps())
}
