package checklist

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

const (
	maxPlaybooks   = 100
	maxRefinements = 20 // of one playbook
)

// Playbook is what somebody should do about a qualified account.
type Playbook struct {
	Name    string
	Action  string
	Queue   string
	Owner   string // whose it is to do; empty: whoever serves the queue
	Message string // key of the message to send
	Reason  string // in words, for the person who acts
}

// advice is a playbook that looks up whose it is.
type advice struct {
	Playbook
	owner int // index of the account property that says it; below 0: the playbook's text does
}

// playbook is a playbook with its refinements, of which the first that fits takes its place.
type playbook struct {
	advice
	refinements []refinement
}

type refinement struct {
	when   fits
	advice advice
	meant  string // when, in canonical form
}

// presetPlaybooks can be used without being declared; a declared one of the same name takes the place.
var presetPlaybooks = []PlaybookDef{
	{
		Name: "manual-outreach", Action: "reach out in person", Queue: "sales",
		Reason: "A large account tries the product out: people buy here, not a form",
		Refine: []RefinementDef{{
			When: "single_user", Name: "manual-outreach-not-yet",
			Action: "find colleagues of the same company and ask the user to invite them",
			Reason: "One user alone tries the product out for a large account: " +
				"not yet for a lone junior user, reach out in person once colleagues have joined",
		}},
	},
	{
		Name: "guided-trial", Action: "offer help with the steps that are missing", Queue: "customer-success",
		Reason: "A medium account is on its way: guide it through what blocks it",
	},
	{
		Name: "in-app-nudge", Action: "show the upgrade in the product", Queue: "lifecycle-marketing",
		Reason: "A small account has seen the value by itself: a light nudge is enough",
	},
}

// Advise returns the tier's playbook as it is for an account: refined, and with the owner that its properties tell. It
// is empty when the tier has none. Its texts stay valid whatever becomes of the account.
func (t *Tier) Advise(account []usage.Value, b *Behaviour) Playbook {
	if t.advice == nil {
		return Playbook{}
	}
	for i := range t.advice.refinements {
		if r := &t.advice.refinements[i]; r.when(b, account) {
			return r.advice.of(account)
		}
	}
	return t.advice.of(account)
}

// PlaybookNames are the names that what tiers advise can go by: of their playbooks, and of what these are refined to. Each is there once.
func (c *Checklist) PlaybookNames() (names []string) {
	add := func(name string) {
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for i := range c.tiers {
		advice := c.tiers[i].advice
		if advice == nil {
			continue
		}
		add(advice.Name)
		for j := range advice.refinements {
			add(advice.refinements[j].advice.Name)
		}
	}
	return names
}

func (a *advice) of(account []usage.Value) Playbook {
	p := a.Playbook
	if a.owner < 0 {
		return p
	}
	p.Owner = ""
	if v := account[a.owner]; v.Kind() != usage.Null {
		p.Owner = strings.Clone(v.String())
	}
	return p
}

func (c *compiler) compilePlaybooks() map[string]*playbook {
	c.atMost("playbooks", len(c.def.Playbooks), maxPlaybooks)
	playbooks := map[string]*playbook{}
	seen := map[string]bool{}
	for i := range c.def.Playbooks {
		d, path := &c.def.Playbooks[i], fmt.Sprintf("playbooks[%d]", i)
		c.checkName(path+".name", d.Name, seen)
		playbooks[d.Name] = c.compilePlaybook(path, d)
	}
	for i := range presetPlaybooks {
		if d := &presetPlaybooks[i]; playbooks[d.Name] == nil && c.advised(d.Name) {
			playbooks[d.Name] = c.compilePlaybook("playbooks", d)
		}
	}
	return playbooks
}

// advised says whether a tier names a playbook.
func (c *compiler) advised(name string) bool {
	return slices.ContainsFunc(tiersWithDefaults(c.def), func(t TierDef) bool { return t.Playbook == name })
}

func (c *compiler) compilePlaybook(path string, d *PlaybookDef) *playbook {
	p := &playbook{advice: c.compileAdvice(path, Playbook{d.Name, d.Action, d.Queue, d.Owner, d.Message, d.Reason})}
	c.atMost(path+".refine", len(d.Refine), maxRefinements)
	for i := range d.Refine {
		r, path := &d.Refine[i], fmt.Sprintf("%s.refine[%d]", path, i)
		if r.Name != "" {
			c.checkName(path+".name", r.Name, map[string]bool{})
		}
		var compiled refinement
		compiled.when, compiled.meant = c.requiredFit(path, r.When)
		compiled.advice = c.compileAdvice(path, Playbook{r.Name, r.Action, r.Queue, r.Owner, r.Message, r.Reason})
		compiled.advice.completeWith(&p.advice)
		p.refinements = append(p.refinements, compiled)
	}
	return p
}

// compileAdvice checks the texts of a playbook or a refinement.
func (c *compiler) compileAdvice(path string, p Playbook) advice {
	for _, f := range []struct{ name, text string }{
		{"action", p.Action}, {"queue", p.Queue}, {"owner", p.Owner}, {"message", p.Message}, {"reason", p.Reason},
	} {
		if len(f.text) > maxText {
			c.add(path+"."+f.name, "is over the limit of %d bytes", maxText)
		}
	}
	a := advice{Playbook: p, owner: -1}
	if name, isProperty := strings.CutPrefix(p.Owner, "account."); isProperty {
		a.owner = slices.IndexFunc(c.out.properties, func(p Property) bool { return p.Name == name })
		if a.owner < 0 {
			c.add(path+".owner", "there is no account property %q", name)
		}
	}
	return a
}

// completeWith takes from a playbook what its refinement leaves out.
func (a *advice) completeWith(p *advice) {
	if a.Owner == "" {
		a.Owner, a.owner = p.Owner, p.owner
	}
	a.Name, a.Action, a.Queue = cmp.Or(a.Name, p.Name), cmp.Or(a.Action, p.Action), cmp.Or(a.Queue, p.Queue)
	a.Message, a.Reason = cmp.Or(a.Message, p.Message), cmp.Or(a.Reason, p.Reason)
}

// meant returns what the hash is taken of.
func (p *playbook) meant() []adviceMeaning {
	m := []adviceMeaning{{Playbook: p.Playbook}}
	for _, r := range p.refinements {
		m = append(m, adviceMeaning{r.advice.Playbook, r.meant})
	}
	return m
}
