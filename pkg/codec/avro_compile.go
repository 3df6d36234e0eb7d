package codec

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/avro"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

// compileSchema turns a writer schema into programs that read what the plan wants. name is what errors call it.
func compileSchema(text, name string, p *plan) *compiled {
	schema, err := avro.Parse(text, avro.WithLaxNames(nil))
	if err != nil {
		return &compiled{err: &usage.Error{Code: usage.CodeBadSchema, Err: fmt.Errorf("parsing %s: %w", name, err)}}
	}
	all, reject := compileProgram(schema.Root(), name, p, false)
	if reject != nil {
		return &compiled{err: reject}
	}
	core, reject := compileProgram(schema.Root(), name, p, true)
	return &compiled{all: all, core: core, err: reject}
}

func compileProgram(root *avro.SchemaNode, name string, p *plan, core bool) (program, *usage.Error) {
	c := &compiler{plan: p, core: core, name: name, types: map[string]*avro.SchemaNode{}, skips: map[string]*program{}, found: map[target]bool{}}
	c.collect(root)
	made, reject := c.read(scoped{root, ""}, p.root)
	if reject == nil {
		reject = c.checkRequired()
	}
	if c.unresolved != "" {
		reject = &usage.Error{Code: usage.CodeBadSchema, Err: fmt.Errorf("%s doesn't define %s", name, c.unresolved)}
	}
	return made, reject
}

// compiler makes the program for one writer schema.
type compiler struct {
	plan  *plan
	core  bool // source and received_at are not read, properties later on if at all
	name  string
	types map[string]*avro.SchemaNode // definitions by full name
	skips map[string]*program         // programs that pass over a record, by full name
	found map[target]bool             // what the schema has

	unresolved string // a name that the parser let through and that nothing in the schema defines
}

// scoped is a schema node and the namespace that references in it are relative to.
type scoped struct {
	*avro.SchemaNode
	namespace string
}

// collect notes every named type that is defined in a schema.
func (c *compiler) collect(n *avro.SchemaNode) {
	if n == nil {
		return
	}
	if isNamed(n.Type) {
		c.types[fullName(n)] = n
	}
	for i := range n.Fields {
		c.collect(&n.Fields[i].Type)
	}
	for i := range n.Branches {
		c.collect(&n.Branches[i])
	}
	c.collect(n.Items)
	c.collect(n.Values)
}

func isNamed(typ string) bool {
	return typ == "record" || typ == "error" || typ == "enum" || typ == "fixed"
}

func fullName(n *avro.SchemaNode) string {
	if n.Namespace == "" || strings.Contains(n.Name, ".") {
		return n.Name
	}
	return n.Namespace + "." + n.Name
}

// resolve follows a reference to a named type.
func (c *compiler) resolve(n scoped) scoped {
	switch n.Type {
	case "null", "boolean", "int", "long", "float", "double", "string", "bytes", "array", "map", "union":
		return n
	}
	if !isNamed(n.Type) {
		def := c.lookup(n.Type, n.namespace)
		if def == nil {
			c.unresolved = n.Type
			return scoped{&avro.SchemaNode{Type: "null"}, ""}
		}
		n.SchemaNode = def
	}
	n.namespace = ""
	if dot := strings.LastIndexByte(fullName(n.SchemaNode), '.'); dot >= 0 {
		n.namespace = fullName(n.SchemaNode)[:dot]
	}
	return n
}

// lookup returns the definition that a name refers to within a namespace.
func (c *compiler) lookup(name, namespace string) *avro.SchemaNode {
	if namespace != "" && !strings.Contains(name, ".") {
		if def := c.types[namespace+"."+name]; def != nil {
			return def
		}
	}
	return c.types[name]
}

// in returns a part of n.
func (n scoped) in(part *avro.SchemaNode) scoped { return scoped{part, n.namespace} }

// read returns the program for a node that something is wanted of.
func (c *compiler) read(n scoped, w *want) (program, *usage.Error) {
	n = c.resolve(n)
	var programs []program
	for _, t := range w.targets {
		p, err := c.target(n, t)
		if err != nil {
			return nil, err
		}
		c.found[t] = true
		programs = append(programs, p)
	}
	if len(w.below) > 0 {
		p, err := c.descend(n, w)
		if err != nil {
			return nil, err
		}
		programs = append(programs, p)
	}
	switch len(programs) {
	case 0:
		return c.skip(n), nil
	case 1:
		return programs[0], nil
	}
	return program{{code: opEach, programs: programs}}, nil
}

// target returns the program for a node whose value goes to a target.
func (c *compiler) target(n scoped, t target) (program, *usage.Error) {
	p, err := c.value(n, t)
	if err != nil || !c.core {
		return p, err
	}
	switch t.field {
	case fieldSource, fieldReceivedAt:
		return c.skip(n), nil
	case fieldProperties, fieldSingle:
		skip := c.skip(n)
		return program{{code: opLater, target: t, program: &skip, programs: []program{p}}}, nil
	}
	return p, nil
}

// value returns the program that reads a node's value for a target.
func (c *compiler) value(n scoped, t target) (program, *usage.Error) {
	if t.field == fieldProperties {
		return c.properties(n)
	}
	l, err := c.leaf(n, t, c.plan.name(t), c.plan.paths[t].String())
	if err != nil {
		return nil, err
	}
	return leafProgram(l, t), nil
}

// descend returns the program for a node that something is wanted below of.
func (c *compiler) descend(n scoped, w *want) (program, *usage.Error) {
	n = c.resolve(n)
	switch n.Type {
	case "record", "error":
		return c.record(n, w)
	case "map":
		return c.mapEntries(n, w)
	case "union":
		o := op{code: opUnion}
		for i := range n.Branches {
			p, err := c.descend(n.in(&n.Branches[i]), w)
			if err != nil {
				return nil, err
			}
			o.programs = append(o.programs, p)
		}
		return program{o}, nil
	}
	return c.skip(n), nil
}

func (c *compiler) record(n scoped, w *want) (program, *usage.Error) {
	var p program
	for i := range n.Fields {
		field := n.in(&n.Fields[i].Type)
		below := wanted(&n.Fields[i], w)
		if below == nil {
			p = appendProgram(p, c.skip(field))
			continue
		}
		read, err := c.read(field, below)
		if err != nil {
			return nil, err
		}
		p = appendProgram(p, read)
	}
	return p, nil
}

// wanted returns what is wanted of a record's field, which is also found under a name that it had before (an alias). No
// two fields of a valid schema share a name, former ones included.
func wanted(f *avro.SchemaField, w *want) *want {
	if below := w.below.named(f.Name); below != nil {
		return below
	}
	for _, alias := range f.Aliases {
		if below := w.below.named(alias); below != nil {
			return below
		}
	}
	return nil
}

func (c *compiler) mapEntries(n scoped, w *want) (program, *usage.Error) {
	values := n.in(n.Values)
	other := c.skip(values)
	o := op{code: opMap, program: &other, entries: map[string]mapEntry{}}
	for _, below := range w.below {
		p, err := c.read(values, below.want)
		if err != nil {
			return nil, err
		}
		o.entries[below.name] = mapEntry{program: p, want: below.want}
	}
	return program{o}, nil
}

// properties returns the program for a map or a record whose every entry is a property.
func (c *compiler) properties(n scoped) (program, *usage.Error) {
	n = c.resolve(n)
	field := target{field: fieldProperties}
	path := c.plan.paths[field].String()
	switch n.Type {
	case "map":
		l, err := c.leaf(n.in(n.Values), field, usage.FieldProperties, path)
		skip := c.skip(n.in(n.Values))
		return program{{code: opProperties, leaf: &l, program: &skip}}, err
	case "record", "error":
		var p program
		for i := range n.Fields {
			key := n.Fields[i].Name
			l, err := c.leaf(n.in(&n.Fields[i].Type), field, usage.PropertyField(key), path+"."+key)
			if err != nil {
				return nil, err
			}
			skip := c.skip(n.in(&n.Fields[i].Type))
			p = append(p, op{code: opProperty, key: key, leaf: &l, program: &skip})
		}
		return p, nil
	case "union":
		return c.propertiesUnion(n, path)
	case "null":
		return nil, nil
	}
	return nil, c.unmappable(usage.FieldProperties, fmt.Errorf("field %s of %s is %s, not a map or a record", path, c.name, describe(n)))
}

func (c *compiler) propertiesUnion(n scoped, path string) (program, *usage.Error) {
	o := op{code: opUnion}
	var first *usage.Error
	usable := false
	for i := range n.Branches {
		p, err := c.properties(n.in(&n.Branches[i]))
		if err == nil {
			usable = usable || n.Branches[i].Type != "null"
		} else {
			first = cmp.Or(first, err)
			p = program{{code: opReject, reject: c.wrongBranch(usage.FieldProperties, usage.CodePropertyWrongType, path, n.in(&n.Branches[i]))}}
		}
		o.programs = append(o.programs, p)
	}
	if !usable && first != nil {
		return nil, first
	}
	return program{o}, nil
}

// checkRequired says which field that every event needs no record of this schema can have.
func (c *compiler) checkRequired() *usage.Error {
	for _, f := range []field{fieldAccountID, fieldEvent, fieldOccurredAt} {
		t := target{field: f}
		if !c.found[t] && !slices.Contains(c.plan.given, fieldNames[f]) {
			return c.unmappable(fieldNames[f], fmt.Errorf("%s has no field %s", c.name, c.plan.paths[t]))
		}
	}
	return nil
}

func (c *compiler) unmappable(field string, err error) *usage.Error {
	return &usage.Error{Code: usage.CodeUnmappableSchema, Field: field, Err: err}
}

// wrongBranch is the error of a record that holds a branch of a union that a field can't have.
func (c *compiler) wrongBranch(field, code, path string, n scoped) *usage.Error {
	return &usage.Error{Code: code, Field: field, Err: fmt.Errorf("field %s of %s is %s in this record", path, c.name, describe(c.resolve(n)))}
}

// describe names a type for people.
func describe(n scoped) string {
	s := n.Type
	if isNamed(n.Type) {
		s += " " + fullName(n.SchemaNode)
	}
	if n.LogicalType != "" {
		s += " (" + n.LogicalType + ")"
	}
	return s
}
