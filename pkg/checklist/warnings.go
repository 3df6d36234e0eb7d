package checklist

import (
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
)

// Warnings says what is allowed in a definition and yet hardly meant: tiers and exclusions that fit nobody, bars that no
// number of steps makes, steps that go together or with a sign-up or conversion, things that nothing uses. The checklist is the definition's, compiled.
func Warnings(def *Definition, c *Checklist) ([]*Problem, error) {
	w, err := newWarner(def, c)
	if err != nil {
		return nil, err
	}
	w.warnOfZone()
	w.warnOfLife()
	w.warnOfExclusions()
	w.warnOfSegments()
	w.warnOfTiers()
	w.warnOfBars()
	w.warnOfRates()
	w.warnOfUnusedPlaybooks()
	w.warnOfUnusedSteps()
	w.warnOfOverlaps()
	w.warnOfDoubleCounting()
	return w.found, nil
}

// warner is one run of Warnings.
type warner struct {
	def    *Definition
	list   *Checklist
	parser *cel.Env
	found  []*Problem
}

func newWarner(def *Definition, c *Checklist) (*warner, error) {
	parser, err := cel.NewEnv()
	if err != nil {
		return nil, fmt.Errorf("setting up expressions: %w", err)
	}
	return &warner{def: def, list: c, parser: parser}, nil
}

func (w *warner) add(path, format string, args ...any) {
	w.found = append(w.found, &Problem{Path: path, Message: fmt.Sprintf(format, args...)})
}

func (w *warner) warnOfZone() {
	countsDays := func(d StepDef) bool {
		return d.Kind == "days" || d.HalfLife != nil || d.Kind != "sequence" && d.Within != nil && d.Within.Unit == day
	}
	if w.def.Zone != "" && w.def.Trial == nil && !slices.ContainsFunc(w.def.Steps, countsDays) {
		w.add("zone", "nothing counts days: there is neither a trial nor a step of days or with a window of days")
	}
}

func (w *warner) warnOfUnusedPlaybooks() {
	for i, p := range w.def.Playbooks {
		usesIt := func(t TierDef) bool { return t.Playbook == p.Name }
		if !slices.ContainsFunc(tiersWithDefaults(w.def), usesIt) {
			w.add(fmt.Sprintf("playbooks[%d]", i), "no tier uses the playbook %s", p.Name)
		}
	}
}

// warnOfUnusedSteps warns of steps that count neither for the rate nor for anything else.
func (w *warner) warnOfUnusedSteps() {
	used := map[string]bool{}
	for _, d := range w.def.Steps {
		for _, id := range d.Steps {
			used[id] = true
		}
	}
	for _, text := range w.expressions() {
		m := w.mentioned(text)
		if m.anyStep {
			return
		}
		for id := range m.steps {
			used[id] = true
		}
	}
	for i, s := range w.list.Steps() {
		if s.Weight == 0 && !used[s.ID] {
			w.add(fmt.Sprintf("steps[%d]", i), "%s has no weight, and no step, segment or playbook uses it", s.ID)
		}
	}
}

// warnOfDoubleCounting warns of steps that count by themselves and again as a part of another.
func (w *warner) warnOfDoubleCounting() {
	weights := map[string]float64{}
	for _, s := range w.list.Steps() {
		weights[s.ID] = s.Weight
	}
	for i, d := range w.def.Steps {
		var twice []string
		for _, id := range d.Steps {
			if weights[d.ID] > 0 && weights[id] > 0 {
				twice = append(twice, id)
			}
		}
		if len(twice) > 0 {
			w.add(fmt.Sprintf("steps[%d].steps", i), "counts twice what %s count by themselves: give these weight 0, or %s",
				strings.Join(twice, " and "), d.ID)
		}
	}
}
