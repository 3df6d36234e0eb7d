package checklist

import (
	"strconv"
	"strings"
)

// anyKind and allKind are steps over other steps. They listen to nothing and keep nothing: whether the others are done
// decides.
var (
	anyKind = Kind{
		Name: "any",
		Doc: "Done when enough of some other steps are done. Give those a weight of 0 if they are not to count by themselves. " +
			"It keeps nothing.",
		Fields: []Field{stepsField,
			{Name: "at_least", Doc: "how many of them, a whole number up to their number", Default: "1"},
			liveGroupField},
		Example: "{id: showed_interest, kind: any, steps: [saw_premium, asked_support], at_least: 1}",
		build:   func(b *builder) rule { return b.group(b.anyOf()) },
	}
	allKind = Kind{
		Name: "all",
		Doc: "Done when some other steps all are. Give those a weight of 0 if they are not to count by themselves. It keeps " +
			"nothing.",
		Fields:  []Field{stepsField, liveGroupField},
		Example: "{id: set_up, kind: all, steps: [first_project, invited_team]}",
		build:   func(b *builder) rule { return b.group(len(b.d.Steps)) },
	}

	stepsField     = Field{Name: "steps", Doc: "the ids of the other steps, which may be of these kinds too", Required: true}
	liveGroupField = Field{Name: "live", Doc: "`true`: the step is undone again when too many of the others are",
		Default: "done once is done for good"}
)

// anyOf checks how many steps an any step needs.
func (b *builder) anyOf() int {
	if b.d.AtLeast == nil {
		return 1
	}
	n := b.atLeast(MaxSteps, false)
	if n > float64(len(b.d.Steps)) {
		b.complain("at_least", "%v is more than there are steps in the list", n)
	}
	return int(n)
}

func (b *builder) group(need int) rule {
	if len(b.d.Steps) == 0 {
		b.complain("steps", "is missing: name the steps that it is made of")
	}
	b.step.need = need
	return &groupRule{need: need, steps: strings.Join(b.d.Steps, ", ")}
}

// resolveGroups finds the members of steps over steps, and the order in which to look at those: members first.
func (c *compiler) resolveGroups() {
	places := map[string]int{}
	for i := range c.out.steps {
		places[c.out.steps[i].ID] = i
	}
	for i := range c.def.Steps {
		for j, id := range c.def.Steps[i].Steps {
			path := "steps[" + strconv.Itoa(i) + "].steps[" + strconv.Itoa(j) + "]"
			place, known := places[id]
			switch s := &c.out.steps[i]; {
			case !known:
				c.add(path, "there is no step %q", id)
			case s.hasMember(place):
				c.add(path, "%q is listed twice", id)
			default:
				s.members = append(s.members, place)
			}
		}
	}
	const under, ordered = 1, 2
	seen := make([]int, len(c.out.steps))
	var visit func(i int)
	visit = func(i int) {
		s := &c.out.steps[i]
		if seen[i] == under {
			c.add("steps["+strconv.Itoa(i)+"].steps", "%q is made of itself", s.ID)
		}
		if seen[i] != 0 || s.members == nil {
			return
		}
		seen[i] = under
		for _, m := range s.members {
			visit(m)
		}
		seen[i] = ordered
		c.out.groups = append(c.out.groups, i)
	}
	for i := range c.out.steps {
		visit(i)
	}
}

// groupRule stands for a step over steps: who knows which are done counts them.
type groupRule struct {
	need  int
	steps string
}

func (r *groupRule) update(*Work, *Input) (changed, done bool) { return false, false }

func (r *groupRule) valid(w Work) bool { return len(w) == 0 }

func (r *groupRule) merge(*Work, Work) {}

func (r *groupRule) count(Work, *Moment) float64 { return 0 }

func (r *groupRule) appendNeed(b []byte, have float64) []byte {
	b = append(strconv.AppendFloat(b, float64(r.need)-have, 'f', -1, 64), " more of "...)
	return appendShare(append(b, r.steps...), have, float64(r.need))
}

func (r *groupRule) traits() traits { return traits{target: float64(r.need), shape: "group"} }
