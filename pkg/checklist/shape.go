package checklist

import (
	"fmt"
	"iter"
	"math"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/pqlstream/pqlstream/pkg/spelling"
)

var definitionType = reflect.TypeFor[Definition]()

// shape holds a file's YAML against the structs of a definition. What does not fit it reports and takes out, so that the
// rest can be decoded, with every entry of a list at its place.
type shape struct {
	mistakes []Mistake
	seen     map[visit]bool
}

// visit is a node that was held against a type: an anchor's is once, however many aliases stand for it.
type visit struct {
	node *yaml.Node
	as   reflect.Type
}

func (s *shape) add(n *yaml.Node, path, format string, args ...any) {
	s.mistakes = append(s.mistakes, Mistake{n.Line, Problem{path, fmt.Sprintf(format, args...)}})
}

// fits says whether a node can be decoded as a type, without what it takes out of it.
func (s *shape) fits(n *yaml.Node, t reflect.Type, path string) bool {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if isNull(n) {
		s.add(n, path, "is empty: fill it in, or leave it out")
		return false
	}
	isScalar := n.Kind == yaml.ScalarNode
	switch {
	case t == reflect.TypeFor[Span](), t == reflect.TypeFor[Window]():
		return s.length(n, t, path)
	case t == reflect.TypeFor[Names]() && isScalar:
		t = reflect.TypeFor[string]()
	case t.Kind() == reflect.Struct && n.Kind == yaml.MappingNode:
		return s.mapping(n, t, path)
	case t.Kind() == reflect.Slice && n.Kind == yaml.SequenceNode:
		return s.list(n, t, path)
	}
	if isScalar && fitsScalar(n, t) {
		return true
	}
	s.add(n, path, "%s where %s belongs", described(n), wanted(n, t))
	return false
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// fitsScalar is stricter than the decoder, which reads 7 as a text, 1.5 as a whole number and yes as true.
func fitsScalar(n *yaml.Node, t reflect.Type) bool {
	tag := n.ShortTag()
	if tag == "!!timestamp" { // a text that looks like one
		tag, n.Tag = "!!str", "!!str"
	}
	isNumber := tag == "!!int" || tag == "!!float"
	switch t.Kind() {
	case reflect.String:
		return tag == "!!str" || isNumber && t == reflect.TypeFor[textOrNumber]()
	case reflect.Bool:
		return tag == "!!bool"
	case reflect.Int:
		var f float64
		return isNumber && n.Decode(&f) == nil && f == math.Trunc(f) && n.Decode(new(int)) == nil
	case reflect.Float64:
		return isNumber && n.Decode(new(float64)) == nil
	case reflect.Interface:
		return isNumber || tag == "!!str" || tag == "!!bool"
	}
	return false
}

func (s *shape) length(n *yaml.Node, t reflect.Type, path string) bool {
	var err error
	if t == reflect.TypeFor[Span]() {
		_, err = parseSpan(n)
	} else {
		_, err = parseWindow(n)
	}
	if err != nil {
		s.add(n, path, "%v", err)
	}
	return err == nil
}

// mapping takes keys out that the struct does not have, or that do not fit.
func (s *shape) mapping(n *yaml.Node, t reflect.Type, path string) bool {
	if s.visited(n, t) {
		return true
	}
	var kept []*yaml.Node
	first := map[string]int{} // lines
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		at := strings.TrimPrefix(path+"."+key.Value, ".")
		field, known := fieldOf(t, key.Value)
		fits := false
		switch {
		case key.Kind != yaml.ScalarNode:
			s.add(key, path, "a key is no name")
		case first[key.Value] > 0:
			s.add(key, at, repeated+"%d", first[key.Value])
		case key.ShortTag() == "!!merge":
			fits = s.merged(value, t, path)
		case !known:
			s.add(key, at, unknownField+"%s", spelling.Meant(key.Value, namesOf(t)))
		default:
			fits = s.fits(value, field, at)
		}
		if fits {
			kept = append(kept, key, value)
		}
		first[key.Value] = key.Line
	}
	n.Content = kept
	return true
}

const (
	unknownField = "unknown field"
	repeated     = "given already at line "
)

// merged takes what `<<` brings in: a mapping, or several.
func (s *shape) merged(n *yaml.Node, t reflect.Type, path string) bool {
	if n.Kind != yaml.SequenceNode {
		return s.fits(n, t, path)
	}
	for _, c := range n.Content {
		if !s.fits(c, t, path) {
			return false
		}
	}
	return true
}

// list puts something empty in the place of entries that don't fit.
func (s *shape) list(n *yaml.Node, t reflect.Type, path string) bool {
	if s.visited(n, t) {
		return true
	}
	for i, c := range n.Content {
		if s.fits(c, t.Elem(), fmt.Sprintf("%s[%d]", path, i)) {
			continue
		}
		empty := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		if t.Elem().Kind() == reflect.String {
			empty = &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str"}
		}
		n.Content[i] = empty
	}
	return true
}

func (s *shape) visited(n *yaml.Node, t reflect.Type) bool {
	if s.seen == nil {
		s.seen = map[visit]bool{}
	}
	v := visit{n, t}
	before := s.seen[v]
	s.seen[v] = true
	return before
}

// namesOf are the names of a struct's fields.
func namesOf(t reflect.Type) iter.Seq[string] {
	return func(yield func(string) bool) {
		for f := range t.Fields() {
			if name := yamlName(f); name != "" && name != "-" && !yield(name) {
				return
			}
		}
	}
}

func fieldOf(t reflect.Type, name string) (reflect.Type, bool) {
	for i := range t.NumField() {
		switch f := t.Field(i); {
		case yamlName(f) != name:
		case f.Tag.Get("takes") == "numbers":
			return reflect.TypeFor[textOrNumber](), true
		default:
			return f.Type, true
		}
	}
	return nil, false
}

// textOrNumber stands for a text that need not be in quotes where it is a number.
type textOrNumber string

func described(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	const most = 40
	if text := []rune(n.Value); len(text) > most {
		return "`" + string(text[:most]) + "...`"
	}
	return "`" + n.Value + "`"
}

func wanted(n *yaml.Node, t reflect.Type) string {
	switch t.Kind() {
	case reflect.Int:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		if n.Kind == yaml.ScalarNode {
			return "a text (in quotes it is one)"
		}
		return "a text"
	case reflect.Slice:
		return "a list"
	case reflect.Interface:
		return "a text, a number, true or false"
	}
	return "a mapping"
}
