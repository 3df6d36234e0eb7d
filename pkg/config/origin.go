package config

import (
	"os"
	"reflect"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Origin says where a setting's value comes from.
type Origin string

// The origins, the stronger after the weaker.
const (
	FromDefault     Origin = "default"
	FromFile        Origin = "file"
	FromEnvironment Origin = "environment"
	FromFlag        Origin = "flag"
	FromSecretFile  Origin = "secret file" // that another setting names
)

// Value is what a process takes a setting for.
type Value struct {
	Path   string // such as kafka.client_id or input.sources[0].topic
	Value  any    // a Secret hides itself
	Origin Origin
	Place  string // file:line, the name of the variable, --set or the secret's file; empty for a default
}

// Values reads the settings as Load does, and lists what each is and where that comes from, in the order of Settings. Of items of
// lists only what is set is listed.
func Values(path string, overrides map[string]string) ([]Value, error) {
	c, err := Load(path, overrides)
	if err != nil {
		return nil, err
	}
	o := origins{path: path, overrides: overrides}
	if path != "" {
		if o.file, err = parseFile(path); err != nil {
			return nil, err
		}
	}
	return o.append(nil, "", reflect.ValueOf(*c), o.file), nil
}

// parseFile returns the mapping of a file, nil when it is empty.
func parseFile(path string) (*yaml.Node, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, unreadable("reading the settings: %w", err)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, malformed(path, err)
	}
	if len(doc.Content) == 0 {
		return nil, nil
	}
	return doc.Content[0], nil
}

// origins finds where values come from.
type origins struct {
	path      string
	file      *yaml.Node // nil: there is none, or it is empty
	overrides map[string]string
}

// append adds the settings of a struct, and those below it. n is what the file has for it, nil for nothing.
func (o *origins) append(list []Value, path string, v reflect.Value, n *yaml.Node) []Value {
	for f, value := range v.Fields() {
		at, node := join(path, f.Tag.Get("mapstructure")), child(n, f.Tag.Get("mapstructure"))
		switch {
		case f.Type.Kind() == reflect.Struct:
			list = o.append(list, at, value, node)
		case f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Struct && value.Len() > 0:
			for i := range value.Len() {
				list = o.append(list, index(at, i), value.Index(i), item(node, i))
			}
		case !strings.Contains(at, "[") || node != nil:
			list = append(list, o.value(at, value.Interface(), v.FieldByName(f.Name+"File"), node))
		}
	}
	return list
}

// value says where a setting's value comes from, in the order in which bind has viper look. secretFile is the setting that may name a file for it.
func (o *origins) value(at string, value any, secretFile reflect.Value, node *yaml.Node) Value {
	env := envName(at)
	if secretFile.IsValid() && secretFile.String() != "" { // what is there besides is empty: Load refuses both
		return Value{at, value, FromSecretFile, secretFile.String()}
	}
	switch {
	case has(o.overrides, at):
		return Value{at, value, FromFlag, "--set"}
	case !strings.Contains(at, "[") && os.Getenv(env) != "":
		return Value{at, value, FromEnvironment, env}
	case node != nil:
		return Value{at, value, FromFile, o.path + ":" + strconv.Itoa(node.Line)}
	}
	return Value{Path: at, Value: value, Origin: FromDefault}
}

func has(overrides map[string]string, path string) bool {
	_, found := overrides[path]
	return found
}

// child is what a mapping has under a key, nil when it has nothing there. What is merged in counts less than what is written.
func child(n *yaml.Node, key string) *yaml.Node {
	n = resolved(n)
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	var merged *yaml.Node
	for i := 0; i < len(n.Content); i += 2 {
		name, value := n.Content[i], n.Content[i+1]
		if name.Tag == "!!merge" {
			if found := child(value, key); found != nil {
				merged = found
			}
		} else if name.Value == key && value.Tag != "!!null" {
			return value
		}
	}
	return merged
}

func item(n *yaml.Node, i int) *yaml.Node {
	if n = resolved(n); n == nil || n.Kind != yaml.SequenceNode || i >= len(n.Content) {
		return nil
	}
	return n.Content[i]
}

func resolved(n *yaml.Node) *yaml.Node {
	for n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}
