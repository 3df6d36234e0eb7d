package checklist

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func starter(preset string) *Starter {
	return &Starter{
		Name: "reports", Preset: preset, Signup: "account_created", Converted: "subscription_started", Trial: 14,
		SizeProperty: "employees", Steps: []string{"project_created", "invite_accepted", "report_run"},
	}
}

func TestPresetFor(t *testing.T) {
	for served, want := range map[int]string{10: "simple", 8: "simple", 7: "mid", 4: "mid", 3: "complex", 0: "complex"} {
		assert.Equal(t, want, PresetFor(served), served)
	}
}

// TestStartersAreValid holds that nobody begins with a mistake, a warning, or a file that editors don't take.
func TestStartersAreValid(t *testing.T) {
	schema := compiledSchema(t)
	for _, preset := range []string{"simple", "mid", "complex"} {
		for _, steps := range [][]string{{"a", "b", "c"}, {"a", "b", "c", "d"}, {"a", "b", "c", "d", "e"}} {
			s := starter(preset)
			s.Steps = steps
			text, err := s.Definition()
			require.NoError(t, err)
			assert.Empty(t, warned(t, string(text)), "%s", text)
			assert.NoError(t, schema.Validate(asJSON(t, string(text))))
			for line := range strings.Lines(string(text)) {
				if !strings.HasPrefix(line, "#   - {id: ") { // an example of a kind is a line
					assert.Less(t, len(line), 140, line)
				}
			}
		}
	}
}

func TestStarterSaysWhatItWasTold(t *testing.T) {
	text, err := starter("simple").Definition()
	require.NoError(t, err)
	for _, want := range []string{
		"#   simple   35 % (50 %)               60 % (80 %)               75 %\n",
		"#   mid      25 % (40 %)               50 % (65 %)               60 %\n",
		"#   complex  15 % (30 %)               30 % (50 %)               40 %\n",
		"# With the 3 steps below that is\n#   large: 2 of 3 steps, escalated with 2 of 3 steps\n" +
			"#   medium: 2 of 3 steps, escalated with 3 of 3 steps\n#   small: 3 of 3 steps\n",
	} {
		assert.Contains(t, string(text), want)
	}
	for _, k := range Kinds() {
		assert.Contains(t, string(text), k.Example, k.Name)
	}
	def, err := Parse(text)
	require.NoError(t, err)
	assert.Equal(t, &Definition{
		Version: 1, Name: "reports", Preset: "simple",
		Signup: &MomentDef{Event: Names{"account_created"}}, Converted: &MomentDef{Event: Names{"subscription_started"}},
		Trial:      &TrialDef{Days: 14},
		Properties: []PropertyDef{{Name: "company_size", Type: "long", From: []SourceDef{{"account_created", "employees"}}}},
		Steps: []StepDef{
			{ID: "project_created", Kind: "event", Event: Names{"project_created"}},
			{ID: "invite_accepted", Kind: "event", Event: Names{"invite_accepted"}},
			{ID: "report_run", Kind: "event", Event: Names{"report_run"}},
		},
	}, def)

	none := starter("simple")
	none.Trial, none.SizeProperty = 0, "company_size"
	text, err = none.Definition()
	require.NoError(t, err)
	def, err = Parse(text)
	require.NoError(t, err)
	assert.Nil(t, def.Trial)
	assert.Empty(t, def.Properties[0].From[0].Property)
}

// TestStarterTakesAnyEvent holds that names of events can't break the file.
func TestStarterTakesAnyEvent(t *testing.T) {
	s := starter("mid")
	s.Steps = []string{
		"Report Run!", "report run", "{x: y}, #", "7 days", "true", "No", "*", `"quoted" 'too' \n`, "für alle: ja", "line\nbreak", "-", "日本",
		strings.Repeat("long ", 30),
	}
	s.Steps = append(s.Steps[:6], s.Steps[7:]...) // * stands for any event
	s.Signup = "- signed up: now"
	text, err := s.Definition()
	require.NoError(t, err)
	def, err := Parse(text)
	require.NoError(t, err)
	var events, ids []string
	for _, d := range def.Steps {
		events, ids = append(events, d.Event...), append(ids, d.ID)
	}
	assert.Equal(t, s.Steps, events)
	assert.Equal(t, []string{"report_run", "report_run_2", "x_y", "step_7_days", "true", "no", "quoted_too_n", "f_r_alle_ja", "line_break",
		"step", "step_2", strings.TrimSuffix(strings.Repeat("long_", 12), "_")}, ids)
	assert.Equal(t, Names{s.Signup}, def.Signup.Event)
}

func TestStarterSaysWhatIsWrong(t *testing.T) {
	for change, s := range map[string]func(*Starter){
		"preset: ": func(s *Starter) { s.Preset = "huge" },
		"tiers: ":  func(s *Starter) { s.Preset = "" },
		`steps[2].event: "account_created" is the sign-up already`:         func(s *Starter) { s.Steps[2] = s.Signup },
		`steps[0].event: "subscription_started" is the conversion already`: func(s *Starter) { s.Steps[0] = s.Converted },
		`steps[2].event: "project_created" is a step already`:              func(s *Starter) { s.Steps[2] = s.Steps[0] },
		`converted.event: "account_created" is the sign-up already`:        func(s *Starter) { s.Converted = s.Signup },
		`steps[1].event: "*" is not an event's name`:                       func(s *Starter) { s.Steps[1] = "*" },
		"trial.days: 367 is not from 0 to 366":                             func(s *Starter) { s.Trial = 367 },
		"name: ":                                                           func(s *Starter) { s.Name = "a b" },
		"signup.":                                                          func(s *Starter) { s.Signup = "" },
		"converted.":                                                       func(s *Starter) { s.Converted = "" },
		"steps: ":                                                          func(s *Starter) { s.Steps = nil },
		"steps[1].":                                                        func(s *Starter) { s.Steps[1] = "" },
	} {
		broken := starter("mid")
		s(broken)
		_, err := broken.Definition()
		require.Error(t, err, change)
		assert.Contains(t, err.Error(), change)
	}
}

func TestStartersAreCheckedAsTheyAreFilledIn(t *testing.T) {
	assert.NoError(t, (&Starter{}).Check(), "nothing is filled in")
	assert.NoError(t, (&Starter{Signup: "a", Steps: []string{"b"}}).Check())
	assert.EqualError(t, (&Starter{Name: "a b", Signup: "a", Converted: "a"}).Check(),
		"name: \"a b\" is not a name of 1 to 64 letters, digits, dots, dashes or underscores\nconverted.event: \"a\" is the sign-up already")
}
