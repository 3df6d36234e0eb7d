// Package reference writes the reference page of checklists from what package checklist says of itself.
package reference

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"text/template"

	"go.yaml.in/yaml/v3"

	"github.com/pqlstream/pqlstream/pkg/checklist"
)

//go:embed checklist.md.tmpl
var pageText string

// Page returns the page.
func Page() (string, error) {
	page, err := template.New("page").Funcs(template.FuncMap{
		"fields": fields, "presets": presets, "kinds": checklist.Kinds, "table": table, "example": example, "bound": bound,
	}).Parse(pageText)
	if err != nil {
		return "", fmt.Errorf("reading the page's template: %w", err)
	}
	var b strings.Builder
	if err := page.Execute(&b, nil); err != nil {
		return "", fmt.Errorf("writing the page: %w", err)
	}
	return b.String(), nil
}

// fields is the table of a part's fields, after what the part is.
func fields(part string) (string, error) {
	parts := checklist.Parts()
	i := slices.IndexFunc(parts, func(p checklist.Part) bool { return p.Name == part })
	if i < 0 {
		return "", fmt.Errorf("there is no part %q", part)
	}
	return parts[i].Doc + "\n\n" + table(parts[i].Fields), nil
}

func table(fields []checklist.Field) string {
	var b strings.Builder
	b.WriteString("| field | meaning | left out |\n|---|---|---|\n")
	for _, f := range fields {
		leftOut := f.Default
		if f.Required {
			leftOut = "required"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", f.Name, escape(f.Doc), escape(leftOut))
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func escape(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

// presets is the table of the presets' bars.
func presets() (string, error) {
	var b strings.Builder
	b.WriteString("| preset | large | medium | small |\n|---|---|---|---|\n")
	for _, name := range []string{"simple", "mid", "complex"} {
		list, err := compiled("preset: " + name + "\nproperties: [{name: company_size, type: long, from: [{event: a}]}]\n" +
			"steps: [{id: a, kind: event, event: a}]\n")
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "| `%s` |", name)
		for _, t := range list.Tiers() {
			fmt.Fprintf(&b, " %.0f %%", 100*t.Threshold)
			if t.EscalateAt > 0 {
				fmt.Fprintf(&b, ", escalated at %.0f %%", 100*t.EscalateAt)
			}
			b.WriteString(" |")
		}
		b.WriteString("\n")
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

// example is a kind's example as a step of a checklist.
func example(k checklist.Kind) string {
	return "  - " + strings.ReplaceAll(strings.TrimSpace(k.Example), "\n", "\n    ")
}

// around is what examples of steps need beside themselves.
const around = `
signup: {event: signed_up}
trial: {days: 14}
properties: [{name: seats, type: long, from: [{event: signed_up}]}]
tiers: [{name: all, threshold: 1}]
steps:
`

// bound says what the example of a kind keeps at most.
func bound(k checklist.Kind) (string, error) {
	var step checklist.StepDef
	if err := yaml.Unmarshal([]byte(k.Example), &step); err != nil {
		return "", fmt.Errorf("reading the example of %s: %w", k.Name, err)
	}
	steps := example(k) + "\n"
	for _, member := range step.Steps {
		steps += "  - {id: " + member + ", kind: event, event: " + member + "}\n"
	}
	list, err := compiled(around + steps)
	if err != nil {
		return "", fmt.Errorf("compiling the example of %s: %w", k.Name, err)
	}
	n := list.Steps()[0].WorkBound()
	if n == 0 {
		return "It keeps nothing of an account.", nil
	}
	return fmt.Sprintf("Of an account the example keeps at most %d bytes.", n), nil
}

func compiled(text string) (*checklist.Checklist, error) {
	def, err := checklist.Parse([]byte("version: 1\nname: example\n" + text))
	if err != nil {
		return nil, err
	}
	return checklist.Compile(def)
}
