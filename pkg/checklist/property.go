package checklist

import (
	"fmt"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

// maxPropertyText is the longest text, in bytes, that an account property takes.
const maxPropertyText = 256

// Property is a declared account property.
type Property struct {
	Name    string
	Key     uint32      // identifies name and type in encoded states
	Kind    usage.Kind  // Bool, Long, Double or String
	Default usage.Value // null: none

	Dimension bool // accounts are told apart by it: a fact tells when it changes
}

// Take converts an event's value to the property's type, ok is false when it has no place there: a null, a text over
// 256 bytes, or what does not read as the type. A text result may alias v's.
func (p *Property) Take(v usage.Value) (taken usage.Value, ok bool) {
	if v.Kind() == usage.Null {
		return usage.Value{}, false
	}
	switch p.Kind {
	case usage.Bool:
		b, ok := asBool(v)
		return usage.BoolValue(b), ok
	case usage.Long:
		n, ok := asLong(v)
		return usage.LongValue(n), ok
	case usage.Double:
		f, ok := asDouble(v)
		return usage.DoubleValue(f), ok
	case usage.String:
		s := v.String()
		return usage.StringValue(s), len(s) <= maxPropertyText
	}
	return usage.Value{}, false
}

var propertyKinds = map[string]usage.Kind{
	"boolean": usage.Bool, "long": usage.Long, "double": usage.Double, "string": usage.String,
}

func (c *compiler) compileProperties() {
	seen, keys := map[string]bool{}, keysOf{}
	for i := range c.def.Properties {
		d, path := &c.def.Properties[i], fmt.Sprintf("properties[%d]", i)
		c.checkName(path+".name", d.Name, seen)
		p := Property{Name: d.Name, Kind: propertyKinds[d.Type], Key: key("property", d.Name, d.Type), Dimension: d.Dimension}
		if p.Kind == usage.Null {
			c.add(path+".type", "%q is none of string, long, double, boolean", d.Type)
		} else if d.Default != nil {
			p.Default = c.defaultValue(path, d, &p)
		}
		c.takeKey(keys, p.Key, path+".name", d.Name)
		if len(d.From) == 0 {
			c.add(path+".from", "is missing: name the events that tell it")
		}
		for j, from := range d.From {
			c.compileSource(fmt.Sprintf("%s.from[%d]", path, j), from, i, d.Name)
		}
		c.out.properties = append(c.out.properties, p)
		c.out.defaults = append(c.out.defaults, p.Default)
	}
}

func (c *compiler) defaultValue(path string, d *PropertyDef, p *Property) usage.Value {
	var given usage.Value
	switch v := d.Default.(type) {
	case bool:
		given = usage.BoolValue(v)
	case int:
		given = usage.LongValue(int64(v))
	case float64:
		given = usage.DoubleValue(v)
	case string:
		given = usage.StringValue(v)
	}
	v, ok := p.Take(given)
	if sameType := given.Kind() == p.Kind || p.Kind == usage.Double && given.Kind() == usage.Long; !ok || !sameType {
		c.add(path+".default", "%v is not a %s", d.Default, d.Type)
	}
	return v
}

func (c *compiler) compileSource(path string, from SourceDef, property int, name string) {
	s := Source{Property: property, Path: from.Property}
	if s.Path == "" {
		s.Path = name
	}
	if from.Event == anyEvent {
		c.everywhere = append(c.everywhere, s)
		return
	}
	if l := c.listen(path+".event", from.Event); l != nil {
		l.Sources = append(l.Sources, s)
	}
}
