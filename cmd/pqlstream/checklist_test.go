package main

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/checklist"
)

func TestChecklistCheck(t *testing.T) {
	fine := write(t, validChecklist)
	r := pqlstream(t, "checklist", "check", fine)
	assert.Equal(t, exitDone, r.code, r.stderr)
	assert.Regexp(t, `^\S+file\.yaml: simple, version 4, hash [0-9a-f]{32}, steps: 1, tiers: all, an account's state: at most \d+ bytes\n$`, r.stdout)
	assert.Empty(t, r.stderr)

	broken := write(t, "name: simple\nversion: 4\nsteps:\n  - {id: a, kind: often, event: x}\n  - {id: b, kind: count,\n     event: y, at_least: 0.5}\n"+
		"tiers:\n  - name: all\n    threshold: 7\n")
	r = pqlstream(t, "checklist", "check", fine, broken)
	assert.Equal(t, exitRefused, r.code)
	for _, want := range []string{
		fine + ": simple, version 4", broken + ":4: error: steps[0].kind: \"often\" is none", broken + ":6: error: steps[1].at_least: 0.5 ",
		broken + ":9: error: tiers[0].threshold: 7 is not",
	} {
		assert.Contains(t, r.stdout, want)
	}
	assert.Equal(t, 4, strings.Count(r.stdout, "\n"), r.stdout)
	assert.Equal(t, "pqlstream: 1 of 2 checklists have mistakes\n", r.stderr)

	unread := write(t, "name: simple\nvurrsion: 4\nsteps: 3\nzone: Mars\nname: again\n")
	r = pqlstream(t, "checklist", "check", unread)
	assert.Equal(t, exitRefused, r.code)
	assert.Equal(t, unread+": error: tiers: is missing: name at least one tier, or a preset\n"+unread+":2: error: vurrsion: unknown field; did you mean version?\n"+
		unread+":3: error: steps: `3` where a list belongs\n"+unread+":4: error: zone: \"Mars\" is no time zone such as Europe/Berlin\n"+
		unread+":5: error: name: given already at line 1\n", r.stdout)

	empty := write(t, "")
	r = pqlstream(t, "checklist", "check", empty)
	assert.Equal(t, exitRefused, r.code)
	assert.Equal(t, empty+": error: the definition is empty\n", r.stdout)

	r = pqlstream(t, "checklist", "check", "none.yaml")
	assert.Equal(t, exitRefused, r.code)
	assert.Contains(t, r.stderr, "reading the checklist: open none.yaml")
}

func TestChecklistCheckWarns(t *testing.T) {
	file := write(t, validChecklist+"playbooks:\n  - {name: unused}\n")
	r := pqlstream(t, "checklist", "check", file)
	assert.Equal(t, exitDone, r.code, r.stderr)
	assert.True(t, strings.HasPrefix(r.stdout, file+":9: warning: playbooks[0]: no tier uses the playbook unused\n"+file+": simple"), r.stdout)

	several := write(t, validChecklist+"playbooks:\n  - {name: unused}\nexclude: ['false']\nzone: Asia/Tokyo\n")
	r = pqlstream(t, "checklist", "check", several)
	for i, want := range []string{":9: warning: playbooks", ":10: warning: exclude", ":11: warning: zone", ": simple"} {
		assert.True(t, strings.HasPrefix(strings.Split(r.stdout, "\n")[i], several+want), r.stdout)
	}

	r = pqlstream(t, "checklist", "check", "--strict", file)
	assert.Equal(t, exitRefused, r.code)
	assert.Contains(t, r.stdout, ": warning: ")
	assert.Equal(t, "pqlstream: 1 of 1 checklists have mistakes or warnings\n", r.stderr)
}

func TestChecklistSchema(t *testing.T) {
	r := pqlstream(t, "checklist", "schema")
	assert.Equal(t, exitDone, r.code, r.stderr)
	var schema map[string]any
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &schema))
	assert.Equal(t, "https://json-schema.org/draft/2020-12/schema", schema["$schema"])
}

func TestChecklistInitByFlags(t *testing.T) {
	file := filepath.Join(t.TempDir(), "new.yaml")
	args := []string{"checklist", "init", "--self-served", "5", "--signup", "registered", "--converted", "paid", "--trial", "30", "--name", "notes",
		"--size", "employees", "--step", "note_written", "--step", "note_shared", "--step", "app_installed", "--out", file}
	r := pqlstream(t, args...)
	assert.Equal(t, exitDone, r.code, r.stderr)
	assert.Contains(t, r.stdout, "wrote "+file+", from the preset mid")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	def, err := checklist.Parse(text)
	require.NoError(t, err)
	assert.Equal(t, "notes", def.Name)
	assert.Equal(t, "mid", def.Preset)
	assert.Equal(t, 30, def.Trial.Days)
	assert.Len(t, def.Steps, 3)

	r = pqlstream(t, "checklist", "check", "--strict", file)
	assert.Equal(t, exitDone, r.code, r.stdout)

	r = pqlstream(t, args...)
	assert.Equal(t, exitFailed, r.code)
	assert.Contains(t, r.stderr, file+" exists already")
	again, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, text, again)
}

func TestChecklistInitRefuses(t *testing.T) {
	t.Chdir(t.TempDir())
	for line, want := range map[string]string{
		"":                                               "give --preset or --self-served, --signup, --converted, --step",
		"--preset mid":                                   "give --signup, --converted, --step",
		"--preset mid --self-served 3":                   "give either --preset or --self-served",
		"--self-served 11":                               "--self-served 11: of ten sign-ups it is 0 to 10",
		"--trial -3":                                     "--trial -3: it is a number of days",
		"--preset huge" + initRest:                       `preset: "huge" is none of simple, mid, complex`,
		"--preset mid --name x/y" + initRest:             "name: ",
		"--preset mid --trial 400" + initRest:            "trial.days: 400 is not from 0 to 366",
		"--preset mid --step c" + initRest:               `steps[1].event: "c" is a step already`,
		"--preset mid --step a" + initRest:               `steps[0].event: "a" is the sign-up already`,
		"--preset mid --step b" + initRest:               `steps[0].event: "b" is the conversion already`,
		"--preset mid --step=" + initRest:                "--step: an event has a name",
		"--preset mid --signup a --converted a --step c": `converted.event: "a" is the sign-up already`,
	} {
		r := pqlstream(t, append([]string{"checklist", "init"}, strings.Fields(line)...)...)
		assert.Equal(t, exitMisused, r.code, line)
		assert.Contains(t, r.stderr, want, line)
	}
	files, err := os.ReadDir(".")
	require.NoError(t, err)
	assert.Empty(t, files)
}

func TestChecklistInitLooksAtTheFileFirst(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("checklist.yaml", nil, 0o600))
	r := pqlstream(t, strings.Fields("checklist init --preset mid"+initRest)...)
	assert.Equal(t, exitFailed, r.code)
	assert.Equal(t, "pqlstream: checklist.yaml exists already: name another file with --out\n", r.stderr)
	r = pqlstream(t, strings.Fields("checklist init --out nowhere/new.yaml --preset mid"+initRest)...)
	assert.Contains(t, r.stderr, "pqlstream: writing the checklist: ")

	f, asked := initFlags{selfServed: unanswered, trial: unanswered}, &strings.Builder{}
	require.NoError(t, f.checkOutput(), "it is asked for")
	assert.ErrorIs(t, f.ask(newQuestions(strings.NewReader("\nnowhere/new.yaml\nnew.yaml\n"), asked)), errNobody)
	assert.Equal(t, "new.yaml", f.output)
	assert.True(t, strings.HasPrefix(asked.String(), "Which file shall it be? [checklist.yaml]   That won't do: checklist.yaml exists already"), asked)
	assert.Equal(t, 3, strings.Count(asked.String(), "Which file"), asked)
}

func TestChecklistInitChecksEachAnswer(t *testing.T) {
	t.Chdir(t.TempDir())
	f, asked := initFlags{selfServed: unanswered, trial: unanswered}, &strings.Builder{}
	answers := []string{"", "9", "my notes", "notes", "*", "registered", "registered", "paid", "", "", "paid", "note_written", "registered", "note_written",
		"note_shared", "", ""}
	require.NoError(t, f.ask(newQuestions(strings.NewReader(strings.Join(answers, "\n")), asked)), asked)
	assert.Equal(t, initFlags{
		selfServed: 9, name: "notes", signup: "registered", converted: "paid", size: "company_size", steps: []string{"note_written", "note_shared"},
		output: "checklist.yaml",
	}, f)
	for _, want := range []string{
		`"my notes" is not a name of`, `"*" is not an event's name`, `"registered" is the sign-up already.`, `"paid" is the conversion already.`,
		`"note_written" is a step already.`,
	} {
		assert.Contains(t, asked.String(), "  That won't do: "+want)
	}
	assert.NoError(t, f.write(io.Discard))
}

const initRest = " --signup a --converted b --step c"

func TestChecklistInitAsks(t *testing.T) {
	f := initFlags{selfServed: unanswered, trial: unanswered}
	var asked strings.Builder
	require.NoError(t, f.ask(newQuestions(strings.NewReader("new.yaml\neleven\n11\n9\nnotes\n\nregistered\npaid\n14\n\n\nnote_written\nnote_shared\n\n"), &asked)))
	assert.Equal(t, initFlags{
		selfServed: 9, name: "notes", signup: "registered", converted: "paid", trial: 14, size: "company_size",
		steps: []string{"note_written", "note_shared"}, output: "new.yaml",
	}, f)
	assert.Equal(t, 2, strings.Count(asked.String(), "That is no number from 0 to 10."))
	assert.Contains(t, asked.String(), "That is a simple product.")
	assert.Contains(t, asked.String(), "company has? [company_size] ")
	assert.Equal(t, 2, strings.Count(asked.String(), "Which event is a sign-up?"), "asked again without an answer")

	assert.False(t, isTerminal(strings.NewReader("")))
	nothing, err := os.Open(os.DevNull)
	require.NoError(t, err)
	defer nothing.Close()
	assert.False(t, isTerminal(nothing))

	full := initFlags{preset: "mid", selfServed: unanswered, name: "n", signup: "a", converted: "b", size: "c", trial: 0, steps: []string{"d"}, output: "e"}
	require.NoError(t, full.ask(newQuestions(strings.NewReader(""), io.Discard)), "nothing is open")

	f = initFlags{selfServed: unanswered, trial: unanswered}
	asked.Reset()
	assert.ErrorIs(t, f.ask(newQuestions(strings.NewReader("new.yaml\n9\n"), &asked)), errNobody)
	assert.True(t, strings.HasSuffix(asked.String(), "What is the checklist's name? [product] "), asked.String())
}
