package checklist

import (
	"fmt"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

const maxSegments = 50

// segment is a named set of accounts.
type segment struct {
	name string
	when fits
}

// SegmentNames are the names of the segments, in the definition's order.
func (c *Checklist) SegmentNames() (names []string) {
	for i := range c.segments {
		names = append(names, c.segments[i].name)
	}
	return names
}

// Segments returns the names of the segments that an account is in, in the definition's order; nil when in none.
func (c *Checklist) Segments(account []usage.Value, b *Behaviour) (names []string) {
	for i := range c.segments {
		if !c.segments[i].when(b, account) {
			continue
		}
		if names == nil {
			names = make([]string, 0, len(c.segments)-i)
		}
		names = append(names, c.segments[i].name)
	}
	return names
}

func (c *compiler) compileSegments() {
	c.atMost("segments", len(c.def.Segments), maxSegments)
	seen := map[string]bool{}
	for i, d := range c.def.Segments {
		path := fmt.Sprintf("segments[%d]", i)
		c.checkName(path+".name", d.Name, seen)
		when, canonical := c.requiredFit(path, d.When)
		c.out.segments = append(c.out.segments, segment{d.Name, when})
		c.meaning.Segments = append(c.meaning.Segments, segmentMeaning{d.Name, canonical})
	}
}

// requiredFit compiles the expression without which a segment or a refinement says nothing.
func (c *compiler) requiredFit(path, when string) (is fits, canonical string) {
	if when == "" {
		c.add(path+".when", "is missing")
		return nil, ""
	}
	return c.overBehaviour(path+".when", when)
}
