package codec

import "slices"

// inlined is how long a record's program may be at most to be repeated where the record is referred to.
const inlined = 4

// skip returns the program that passes over a node.
func (c *compiler) skip(n scoped) program {
	n = c.resolve(n)
	switch n.Type {
	case "null":
		return nil
	case "boolean":
		return skipBytes(1)
	case "int", "long", "enum":
		return program{{code: opSkipLong}}
	case "float":
		return skipBytes(4)
	case "double":
		return skipBytes(8)
	case "string", "bytes":
		return program{{code: opSkipText}}
	case "fixed":
		return skipBytes(n.Size)
	case "array":
		return skipBlocks(c.skip(n.in(n.Items)))
	case "map":
		return skipBlocks(appendProgram(program{{code: opSkipText}}, c.skip(n.in(n.Values))))
	case "union":
		o := op{code: opUnion}
		for i := range n.Branches {
			o.programs = append(o.programs, c.skip(n.in(&n.Branches[i])))
		}
		return program{o}
	}
	return c.skipRecord(n)
}

// skipRecord compiles a record once. Where it is referred to again its program is called, also from within itself, so
// that the programs stay as small as the schema.
func (c *compiler) skipRecord(n scoped) program {
	name := fullName(n.SchemaNode)
	if shared := c.skips[name]; shared != nil {
		if done := *shared; done != nil && len(done) <= inlined {
			return done
		}
		return program{{code: opCall, program: shared}}
	}
	shared := new(program)
	c.skips[name] = shared
	p := program{}
	for i := range n.Fields {
		p = appendProgram(p, c.skip(n.in(&n.Fields[i].Type)))
	}
	*shared = p
	return p
}

// skipBlocks returns the program that passes over an array or a map.
func skipBlocks(item program) program {
	texts := !slices.ContainsFunc(item, func(o op) bool { return o.code != opSkipText })
	if texts && len(item) > 0 {
		return program{{code: opSkipTexts, n: len(item)}}
	}
	return program{{code: opSkipBlocks, program: &item}}
}

func skipBytes(n int) program {
	if n == 0 {
		return nil
	}
	return program{{code: opSkip, n: n}}
}

// appendProgram returns p with q after it, runs of skipped bytes made one.
func appendProgram(p, q program) program {
	for _, o := range q {
		if last := len(p) - 1; last >= 0 && o.code == opSkip && p[last].code == opSkip {
			p[last].n += o.n
			continue
		}
		p = append(p, o)
	}
	return p
}
