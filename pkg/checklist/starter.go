package checklist

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"text/template"
)

// Starter is what a first checklist is made of.
type Starter struct {
	Name         string
	Preset       string   // simple, mid or complex
	Signup       string   // the event that begins an account's life
	Converted    string   // the event that says that it has bought
	Trial        int      // days; 0: there is none
	SizeProperty string   // of the sign-up: how many people the company has; empty: company_size
	Steps        []string // events, at least one
}

// PresetFor returns the preset that fits a product, by how many of its last ten sign-ups served themselves.
func PresetFor(servedThemselves int) string {
	switch {
	case servedThemselves > 7:
		return "simple"
	case servedThemselves >= 4:
		return "mid"
	}
	return "complex"
}

//go:embed starter.yaml.tmpl
var starterText string

var starterTemplate = template.Must(template.New("starter").Parse(starterText))

// Check says what is wrong with what is filled in so far; what is empty still is let be. Its error joins a Problem each.
func (s *Starter) Check() error {
	var p problems
	if s.Name != "" && !namePattern.MatchString(s.Name) {
		p.add("name", notName, s.Name)
	}
	if s.Preset != "" && presets[s.Preset] == nil {
		p.add("preset", "%q is none of simple, mid, complex", s.Preset)
	}
	if s.Trial < 0 || s.Trial > maxWithin {
		p.add("trial.days", "%d is not from 0 to %d", s.Trial, maxWithin)
	}
	taken := map[string]string{}
	take := func(path, event, as string) {
		switch {
		case event == "":
		case !isEventName(event):
			p.add(path, notEventName, event)
		case taken[event] != "":
			p.add(path, "%q is %s already", event, taken[event])
		default:
			taken[event] = as
		}
	}
	take("signup.event", s.Signup, "the sign-up")
	take("converted.event", s.Converted, "the conversion")
	for i, event := range s.Steps {
		take(fmt.Sprintf("steps[%d].event", i), event, "a step")
	}
	return p.err()
}

// Definition writes a commented checklist. Its error joins a Problem for each thing that it can't be made of.
func (s *Starter) Definition() ([]byte, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	page := starterPage{
		Name: scalar(s.Name), Preset: scalar(s.Preset), Signup: scalar(s.Signup), Converted: scalar(s.Converted), Trial: s.Trial,
		Kinds: kinds, Presets: presetBars(),
	}
	if s.SizeProperty != "company_size" && s.SizeProperty != "" {
		page.SizeProperty = scalar(s.SizeProperty)
	}
	ids := map[string]bool{}
	for _, event := range s.Steps {
		page.Steps = append(page.Steps, starterStep{scalar(stepID(event, ids)), scalar(event)})
	}
	text, err := page.text()
	if err != nil {
		return nil, err
	}
	list, err := compiledText(text)
	if err != nil {
		return nil, err
	}
	page.Needs = barsIn(list)
	return page.text()
}

// starterPage is what the template is filled with; texts are written as YAML.
type starterPage struct {
	Name, Preset, Signup, Converted, SizeProperty string

	Trial   int
	Steps   []starterStep
	Kinds   []Kind
	Presets []presetLine
	Needs   []string // what each tier's bars take
}

type starterStep struct{ ID, Event string }

type presetLine struct {
	Name string
	Bars []string
}

func (p *starterPage) text() ([]byte, error) {
	var b strings.Builder
	if err := starterTemplate.Execute(&b, p); err != nil {
		return nil, fmt.Errorf("writing the checklist: %w", err)
	}
	var lines []string
	for line := range strings.Lines(b.String()) {
		lines = append(lines, strings.TrimRight(line, " \n")+"\n")
	}
	return []byte(strings.Join(lines, "")), nil
}

func compiledText(text []byte) (*Checklist, error) {
	def, err := Parse(text)
	if err != nil {
		return nil, err
	}
	return Compile(def)
}

// presetBars is the table of the presets.
func presetBars() (lines []presetLine) {
	for _, name := range []string{"simple", "mid", "complex"} {
		line := presetLine{Name: name}
		for _, t := range presets[name] {
			bar := percent(*t.Threshold)
			if t.EscalateAt != nil {
				bar += " (" + percent(*t.EscalateAt) + ")"
			}
			line.Bars = append(line.Bars, bar)
		}
		lines = append(lines, line)
	}
	return lines
}

// barsIn says what the bars of a checklist's tiers take, in its steps.
func barsIn(c *Checklist) (lines []string) {
	r, ok := ratesOf(c.Steps())
	if !ok {
		return nil
	}
	for _, t := range c.Tiers() {
		line := fmt.Sprintf("%s: %s", t.Name, r.described(r.needed(t.Threshold)))
		if t.EscalateAt > 0 {
			line += fmt.Sprintf(", escalated with %s", r.described(r.needed(t.EscalateAt)))
		}
		lines = append(lines, line)
	}
	return lines
}

var (
	plainScalar = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)
	yamlWord    = regexp.MustCompile(`^(?i:true|false|yes|no|on|off|y|n|null)$`)
	notInIDs    = regexp.MustCompile(`[^A-Za-z0-9]+`)
)

// scalar writes a text as YAML.
func scalar(text string) string {
	if plainScalar.MatchString(text) && !yamlWord.MatchString(text) {
		return text
	}
	quoted, _ := json.Marshal(text) // a text has always a form in JSON, and that is YAML
	return string(quoted)
}

// stepID makes a step's id of an event's name.
func stepID(event string, taken map[string]bool) string {
	id := strings.ToLower(strings.Trim(notInIDs.ReplaceAllString(event, "_"), "_"))
	if id == "" || id[0] >= '0' && id[0] <= '9' { // expressions name steps, and names don't start with a digit
		id = "step_" + id
	}
	id = strings.TrimRight(id[:min(len(id), 60)], "_")
	unique := id
	for n := 2; taken[unique]; n++ {
		unique = fmt.Sprintf("%s_%d", id, n)
	}
	taken[unique] = true
	return unique
}
