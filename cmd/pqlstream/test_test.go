package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const rightScenario = `checklist: ../list.yaml
scenario: one step is all
  +0d  acme  ana  project_created
    => active
    => step_done first_project rate 100%
    => qualified tier all rate 100% of 100%
`

const wrongScenario = `checklist: ../list.yaml
scenario: one step is none   # is it?
  +0d  acme  ana  project_created
    => active
    => step_done first_project rate 50%   # half of it
scenario: nothing happens
  +0d  acme  ana  page_viewed @ignored
`

// scenarioFolder returns a folder of scenario files, by their names, beside a checklist.
func scenarioFolder(t *testing.T, files map[string]string) string {
	t.Helper()
	top := t.TempDir()
	dir := filepath.Join(top, "scenarios")
	require.NoError(t, os.WriteFile(filepath.Join(top, "list.yaml"), []byte(validChecklist), 0o600))
	for name, text := range files {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	return dir
}

func TestScenariosThatPassAreQuiet(t *testing.T) {
	dir := scenarioFolder(t, map[string]string{"right.scenario": rightScenario, "notes.txt": "no scenario"})
	r := pqlstream(t, "test", dir, filepath.Join(dir, "right.scenario"))
	assert.Equal(t, exitDone, r.code, r.stderr)
	assert.Equal(t, "ok   1 scenario in 1 file\n", r.stdout)

	r = pqlstream(t, "test", "-v", dir)
	assert.Equal(t, "ok   "+filepath.Join(dir, "right.scenario")+":2: one step is all\nok   1 scenario in 1 file\n", r.stdout)
}

func TestAScenarioThatFails(t *testing.T) {
	dir := scenarioFolder(t, map[string]string{"wrong.scenario": wrongScenario, "right.scenario": rightScenario})
	r := pqlstream(t, "test", dir)
	assert.Equal(t, exitFailed, r.code)
	assert.Equal(t, "FAIL "+filepath.Join(dir, "wrong.scenario")+":2: one step is none\n"+
		"   2   scenario: one step is none   # is it?\n"+
		"   3     +0d  acme  ana  project_created\n"+
		"   4       => active\n"+
		"   5 -     => step_done first_project rate 50%   # half of it\n"+
		"     +     => step_done first_project rate 100%   # half of it\n"+
		"     +     => qualified tier all rate 100% of 100%\n\n", r.stdout)
	assert.Equal(t, "pqlstream: 1 of 3 scenarios in 2 files failed\n", r.stderr)
	assert.NotContains(t, r.stdout, "\x1b", "colours are for terminals")
}

func TestScenariosAreUpdated(t *testing.T) {
	dir := scenarioFolder(t, map[string]string{"wrong.scenario": wrongScenario, "right.scenario": rightScenario})
	path := filepath.Join(dir, "wrong.scenario")
	r := pqlstream(t, "test", "--update", dir)
	assert.Equal(t, exitDone, r.code, r.stderr)
	assert.Equal(t, "updated "+path+"\nok   3 scenarios in 2 files\n", r.stdout)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, strings.ReplaceAll(wrongScenario, "rate 50%   # half of it\n",
		"rate 100%   # half of it\n    => qualified tier all rate 100% of 100%\n"), string(text))

	r = pqlstream(t, "test", "--update", dir)
	assert.Equal(t, "ok   3 scenarios in 2 files\n", r.stdout)
}

func TestOnlyScenariosOfAName(t *testing.T) {
	dir := scenarioFolder(t, map[string]string{"wrong.scenario": wrongScenario, "right.scenario": rightScenario})
	r := pqlstream(t, "test", "--run", "^nothing|is all$", dir)
	assert.Equal(t, exitDone, r.code, r.stderr)
	assert.Equal(t, "ok   2 scenarios in 2 files\n", r.stdout)

	r = pqlstream(t, "test", "--run", "no such", dir)
	assert.Equal(t, exitFailed, r.code)
	assert.Equal(t, "pqlstream: no scenario's name matches --run no such\n", r.stderr)

	r = pqlstream(t, "test", "--run", "(", dir)
	assert.Equal(t, exitFailed, r.code)
	assert.Contains(t, r.stderr, "--run (: ")
}

func TestScenarioFilesThatAreNotValid(t *testing.T) {
	dir := scenarioFolder(t, map[string]string{
		"a.scenario": "checklist: ../list.yaml\nscenario: s\n  soon acme ana x\n  +0d acme\n", "b.scenario": rightScenario, "sub/c.scenario": "checklist: none.yaml\n",
	})
	r := pqlstream(t, "test", dir)
	assert.Equal(t, exitRefused, r.code)
	assert.Equal(t, "ok   1 scenario in 1 file\n", r.stdout, "what is valid runs")
	assert.Contains(t, r.stderr, filepath.Join(dir, "a.scenario")+":3: \"soon\" is no moment")
	assert.Contains(t, r.stderr, filepath.Join(dir, "a.scenario")+":4: after the moment come account")
	assert.Contains(t, r.stderr, filepath.Join(dir, "sub/c.scenario")+":1: reading the checklist: open ")
	assert.Contains(t, r.stderr, filepath.Join(dir, "sub/c.scenario")+":1: there is no scenario")

	list := filepath.Join(filepath.Dir(dir), "list.yaml")
	require.NoError(t, os.WriteFile(list, []byte(strings.ReplaceAll(validChecklist, "threshold: 1", "threshold: 7")), 0o600))
	r = pqlstream(t, "test", filepath.Join(dir, "a.scenario"), filepath.Join(dir, "b.scenario"))
	assert.Equal(t, exitRefused, r.code)
	assert.Equal(t, 1, strings.Count(r.stderr, list+":7: tiers[0].threshold: "), "what two files share is said once: %s", r.stderr)

	r = pqlstream(t, "test", t.TempDir())
	assert.Equal(t, exitRefused, r.code)
	assert.Contains(t, r.stderr, "whose name ends with .scenario")

	r = pqlstream(t, "test", filepath.Join(dir, "none.scenario"))
	assert.Equal(t, exitRefused, r.code)
	assert.Contains(t, r.stderr, "looking for scenarios: ")

	assert.Equal(t, exitMisused, pqlstream(t, "test").code)
}

func TestScenariosBehindLinks(t *testing.T) {
	dir := scenarioFolder(t, map[string]string{"right.scenario": rightScenario})
	elsewhere := scenarioFolder(t, map[string]string{"sub/wrong.scenario": wrongScenario})
	link := filepath.Join(filepath.Dir(dir), "link")
	require.NoError(t, os.Symlink(dir, link))
	r := pqlstream(t, "test", "-v", link)
	assert.Equal(t, exitDone, r.code, r.stderr)
	assert.Contains(t, r.stdout, "ok   "+filepath.Join(link, "right.scenario")+":2: ")

	require.NoError(t, os.Symlink(filepath.Join(elsewhere, "sub"), filepath.Join(dir, "more")))
	require.NoError(t, os.Symlink(dir, filepath.Join(dir, "again")))
	require.NoError(t, os.Symlink(filepath.Join(dir, "nothing"), filepath.Join(dir, "dangling")))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "list.yaml"), []byte(validChecklist), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(elsewhere, "list.yaml"), []byte(validChecklist), 0o600))
	require.NoError(t, os.Symlink(filepath.Join(dir, "right.scenario"), filepath.Join(dir, "same.scenario")))
	r = pqlstream(t, "test", "-v", dir)
	assert.Equal(t, exitFailed, r.code)
	assert.Equal(t, "pqlstream: 1 of 4 scenarios in 3 files failed\n", r.stderr)
	for _, name := range []string{"right.scenario", "same.scenario", "more/wrong.scenario"} {
		assert.Contains(t, r.stdout, filepath.Join(dir, name)+":2: ", "each once, by the name that it was found under")
	}
}

func TestScenarioFilesThatCannotBeRead(t *testing.T) {
	dir := scenarioFolder(t, map[string]string{"right.scenario": rightScenario})
	gone := filepath.Join(dir, "gone.scenario")
	require.NoError(t, os.Symlink(filepath.Join(dir, "nothing"), gone))
	out := filepath.Join(dir, "out.xml")
	r := pqlstream(t, "test", "--junit", out, dir)
	assert.Equal(t, exitRefused, r.code)
	assert.Equal(t, "ok   1 scenario in 1 file\n", r.stdout, "what can be read runs")
	assert.Equal(t, "pqlstream: "+gone+": reading the file: no such file or directory\n", r.stderr)
	text, err := os.ReadFile(out)
	require.NoError(t, err)
	assert.Contains(t, string(text), `<testsuite name="`+gone+`" tests="1" failures="0" errors="1"`)
	assert.Contains(t, string(text), `<testcase name="one step is all"`)
}

func TestAChecklistForAScenarioFile(t *testing.T) {
	list := filepath.Join(filepath.Dir(scenarioFolder(t, nil)), "list.yaml")
	r := pqlstream(t, "test", list)
	assert.Equal(t, exitRefused, r.code)
	assert.Equal(t, 1, strings.Count(r.stderr, "\n"), r.stderr)
	assert.Contains(t, r.stderr, list+": this is a checklist, not a scenario file")
}

func TestScenarioResultsAsJUnit(t *testing.T) {
	dir := scenarioFolder(t, map[string]string{"wrong.scenario": wrongScenario, "bad.scenario": "nonsense\n"})
	out := filepath.Join(dir, "out.xml")
	assert.Equal(t, exitRefused, pqlstream(t, "test", "--junit", out, dir).code)
	text, err := os.ReadFile(out)
	require.NoError(t, err)
	for _, piece := range []string{
		`<testsuite name="` + filepath.Join(dir, "wrong.scenario") + `" tests="2" failures="1" errors="0"`, `<testcase name="nothing happens"`,
		"=&gt; step_done first_project rate 100%", "bad.scenario:1: there is no checklist",
	} {
		assert.Contains(t, string(text), piece)
	}
	r := pqlstream(t, "test", "--junit", filepath.Join(dir, "none", "out.xml"), dir)
	assert.Contains(t, r.stderr, "writing the results to ")
}

func TestColours(t *testing.T) {
	assert.Equal(t, "\x1b[31mFAIL\x1b[0m", paint(true).colour(red, "FAIL"))
	assert.Equal(t, "FAIL", paint(false).colour(red, "FAIL"))
	assert.False(t, bool(paintOn(new(strings.Builder))))
	for env, want := range map[[2]string]bool{{"", ""}: true, {"1", ""}: false, {"", "dumb"}: false, {"", "xterm"}: true} {
		assert.Equal(t, want, allowsColour(func(name string) string { return map[string]string{"NO_COLOR": env[0], "TERM": env[1]}[name] }), env)
	}
	f, err := os.CreateTemp(t.TempDir(), "")
	require.NoError(t, err)
	defer f.Close()
	assert.False(t, bool(paintOn(f)), "a file is no terminal")
}
