//go:build slow

package browser

import (
	_ "embed"
	"fmt"

	"github.com/stretchr/testify/assert"
)

//go:embed testdata/axe.min.js
var axe string

type violation struct {
	ID    string `json:"id"`
	Help  string `json:"help"`
	Nodes []struct {
		HTML    string `json:"html"`
		Summary string `json:"failureSummary"`
	} `json:"nodes"`
}

// Accessible fails the test where what is shown violates one of axe's rules, within an element or, with "", anywhere. What can be
// opened is opened before.
func (p *Tab) Accessible(within string) {
	p.t.Helper()
	p.Set("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
	if !Eval[bool](p, "'axe' in window") {
		p.Set(axe)
	}
	scope := "document"
	if within != "" {
		scope = Quoted(within)
	}
	found := Eval[[]violation](p, fmt.Sprintf("axe.run(%s, { resultTypes: ['violations'] }).then((r) => r.violations)", scope))
	for _, broken := range found {
		for _, node := range broken.Nodes[:min(3, len(broken.Nodes))] {
			assert.Fail(p.t, broken.ID, "%s: %s\n%s\n%s", Eval[string](p, "location.hash"), broken.Help, node.HTML, node.Summary)
		}
	}
}
