package checklist

import (
	"fmt"

	"cel.dev/cel-go/common/ast"
)

// checkActivity complains about expressions that ask for what is not kept of users: they would never be true. A preset's own
// are let be: where no users are kept, who did the steps decides.
func (c *compiler) checkActivity() {
	for i := range c.def.Segments {
		c.checkKept(fmt.Sprintf("segments[%d].when", i), c.def.Segments[i].When)
	}
	for i := range c.def.Playbooks {
		for j, r := range c.def.Playbooks[i].Refine {
			c.checkKept(fmt.Sprintf("playbooks[%d].refine[%d].when", i, j), r.When)
		}
	}
}

// checkKept complains about one expression, unless it is wrong anyway.
func (c *compiler) checkKept(path, when string) {
	checked, err := c.expressions.behaviour.check(when)
	if err != nil {
		return
	}
	for _, e := range ast.MatchDescendants(ast.NavigateAST(checked.NativeRep()), isVariable) {
		if why := c.unkept(variableName(e)); why != "" {
			at := checked.NativeRep().SourceInfo().GetStartLocation(e.ID())
			c.add(path, "line %d, column %d: %s is not known: %s", at.Line(), at.Column()+1, variableName(e), why)
		}
	}
}

// unkept says why a variable is not known, and what to do about it; empty if it is.
func (c *compiler) unkept(variable string) string {
	a := c.def.Activity
	if a == nil {
		a = &ActivityDef{}
	}
	switch variable {
	case "users", "active_users", "single_user", "champion_role":
		if a.Users != nil && *a.Users == 0 {
			return "activity.users is 0, so no users are kept: give it another number, or leave it out"
		}
		if variable == "champion_role" && a.Role == "" {
			return "name the events' property that tells a user's role as activity.role"
		}
	}
	return ""
}
