package checklist

import "fmt"

const maxPlaybooks = 100

// Playbook is what somebody should do about a qualified account.
type Playbook struct {
	Name    string
	Action  string
	Queue   string
	Owner   string // whose it is to do; empty: whoever serves the queue
	Message string // key of the message to send
	Reason  string // in words, for the person who acts
}

// presetPlaybooks can be used without being declared; a declared one of the same name takes the place.
var presetPlaybooks = []Playbook{
	{Name: "manual-outreach", Action: "reach out in person", Queue: "sales",
		Reason: "A large account tries the product out: people buy here, not a form"},
	{Name: "guided-trial", Action: "offer help with the steps that are missing", Queue: "customer-success",
		Reason: "A medium account is on its way: guide it through what blocks it"},
	{Name: "in-app-nudge", Action: "show the upgrade in the product", Queue: "lifecycle-marketing",
		Reason: "A small account has seen the value by itself: a light nudge is enough"},
}

func (c *compiler) compilePlaybooks() map[string]Playbook {
	c.atMost("playbooks", len(c.def.Playbooks), maxPlaybooks)
	playbooks := map[string]Playbook{}
	for _, p := range presetPlaybooks {
		playbooks[p.Name] = p
	}
	seen := map[string]bool{}
	for i, p := range c.def.Playbooks {
		path := fmt.Sprintf("playbooks[%d]", i)
		c.checkName(path+".name", p.Name, seen)
		for _, f := range []struct{ name, text string }{{"action", p.Action}, {"queue", p.Queue}, {"reason", p.Reason}} {
			if len(f.text) > maxText {
				c.add(path+"."+f.name, "is over the limit of %d bytes", maxText)
			}
		}
		playbooks[p.Name] = Playbook{Name: p.Name, Action: p.Action, Queue: p.Queue, Reason: p.Reason}
	}
	return playbooks
}
