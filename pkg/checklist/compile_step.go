package checklist

import (
	"fmt"
	"slices"
)

func (c *compiler) compileSteps() {
	if len(c.def.Steps) == 0 {
		c.add("steps", "is missing: name at least one step")
	}
	seen, keys := map[string]bool{}, keysOf{}
	c.out.steps = make([]Step, len(c.def.Steps))
	for i := range c.def.Steps {
		d, s, path := &c.def.Steps[i], &c.out.steps[i], fmt.Sprintf("steps[%d]", i)
		c.checkName(path+".id", d.ID, seen)
		*s = Step{ID: d.ID, Kind: d.Kind, Weight: c.weight(path, d), Live: d.Live, Key: stepKey(d)}
		c.compileStep(path, i, d, s)
		if !c.takeKey(keys, s.Key, path+".id", d.ID) && s.rule != nil {
			c.takeKey(c.workKeys, s.WorkKey, path+".id", d.ID)
		}
		c.out.total += s.Weight
	}
	if len(c.def.Steps) > 0 && c.out.total == 0 {
		c.add("steps", "all have the weight 0: there is no activation rate")
	}
	c.resolveGroups()
}

// stepKey identifies a step in encoded states. One that has become live is another: what did it was not kept, so that nobody
// could say when it holds no longer.
func stepKey(d *StepDef) uint32 {
	if d.Live {
		return key("live step", d.ID)
	}
	return key("step", d.ID)
}

// keysOf are the names that keys of encoded states stand for.
type keysOf map[uint32]string

// takeKey says whether the key of a name is another's, and complains then.
func (c *compiler) takeKey(keys keysOf, key uint32, path, name string) (taken bool) {
	other, taken := keys[key]
	if taken = taken && other != name; taken {
		c.add(path, "%q can't be told from %q in encoded states: choose another", name, other)
	}
	keys[key] = name
	return taken
}

// compileStep fills in what the step's kind makes of its fields.
func (c *compiler) compileStep(path string, at int, d *StepDef, s *Step) {
	k := slices.IndexFunc(kinds, func(k Kind) bool { return k.Name == d.Kind })
	if k < 0 {
		c.add(path+".kind", "%q is none of the kinds %s", d.Kind, kindNames())
		return
	}
	c.checkFields(path, d, &kinds[k])
	m := newStepMeaning(d)
	m.Weight = s.Weight
	s.rule = kinds[k].build(&builder{compiler: c, d: d, path: path, at: at, step: s, m: &m})
	t := s.rule.traits()
	s.traits = t
	s.judge, s.Judged = s.rule.(judged)
	s.ReadsAccount = t.readsAccount
	s.target, s.WorkKey = t.target, key("work", d.ID, t.shape)
	s.begin = string(s.rule.appendNeed(nil, 0))
	m.AtLeast, m.Shape = t.target, t.shape
	c.meaning.Steps = append(c.meaning.Steps, m)
}

// checkFields complains about fields that the kind has not; those that it needs are the kind's to check.
func (c *compiler) checkFields(path string, d *StepDef, k *Kind) {
	for _, name := range d.given() {
		if !slices.ContainsFunc(k.Fields, func(f Field) bool { return f.Name == name }) {
			c.add(path+"."+name, "a step of kind %s has no such field", k.Name)
		}
	}
}

func (c *compiler) weight(path string, d *StepDef) float64 {
	if d.Weight == nil {
		return 1
	}
	if !(*d.Weight >= 0 && *d.Weight <= maxWeight) {
		c.add(path+".weight", "%v is not from 0 to %v", *d.Weight, maxWeight)
		return 1
	}
	return *d.Weight
}

func kindNames() (names []string) {
	for _, k := range kinds {
		names = append(names, k.Name)
	}
	return names
}
