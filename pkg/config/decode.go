package config

import (
	"fmt"
	"maps"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/pqlstream/pqlstream/pkg/spelling"
)

// decodeText turns what YAML and the environment have, mostly text, into a setting's type. A number alone is neither a
// duration nor an amount of memory.
func decodeText(_, to reflect.Type, data any) (any, error) {
	text, isText := data.(string)
	switch {
	case to == reflect.TypeFor[time.Duration]():
		d, err := time.ParseDuration(text)
		if err != nil {
			return nil, fmt.Errorf("\"%v\" is not a duration such as 250ms or 5m", data)
		}
		return d, nil
	case to == reflect.TypeFor[Bytes]():
		return parseBytes(fmt.Sprint(data))
	case to == reflect.TypeFor[Number]():
		return parseNumber(fmt.Sprint(data))
	case !isText:
		return data, nil
	case to.Kind() == reflect.Slice && (to.Elem().Kind() == reflect.String || to.Elem().Kind() == reflect.Int):
		return splitList(text), nil
	case to.Kind() == reflect.Int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return nil, fmt.Errorf("%q is not a whole number", text)
		}
		return n, nil
	case to.Kind() == reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return nil, fmt.Errorf("%q is neither true nor false", text)
		}
		return b, nil
	}
	return data, nil
}

// splitList reads a list as environment variables have it, with commas.
func splitList(text string) []string {
	var list []string
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			list = append(list, item)
		}
	}
	return list
}

// checkKeys refuses keys that are no setting, and values that have another shape than their setting. Viper does
// neither: it ignores a key without a value, and lets a value hide the settings below it.
func checkKeys(file []byte) (p Problems) {
	var doc yaml.Node
	if err := yaml.Unmarshal(file, &doc); err == nil && len(doc.Content) > 0 { // viper reports errors; an empty file has no keys
		checkNode(&p, "", doc.Content[0], reflect.TypeFor[Config]())
	}
	return p
}

func checkNode(p *Problems, path string, n *yaml.Node, t reflect.Type) {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Tag == "!!null" {
		return // as if the key were not there
	}
	switch {
	case t.Kind() == reflect.Struct:
		checkMapping(p, path, n, t)
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct:
		if n.Kind != yaml.SequenceNode {
			p.add(path, "it is not a list (line %d)", n.Line)
			return
		}
		for i, item := range n.Content {
			checkNode(p, index(path, i), item, t.Elem())
		}
	case n.Kind == yaml.MappingNode:
		p.add(path, "it is a mapping, not %s (line %d)", typeName(t), n.Line)
	}
}

func checkMapping(p *Problems, path string, n *yaml.Node, t reflect.Type) {
	if n.Kind != yaml.MappingNode {
		at := path
		if at == "" {
			at = "the settings"
		}
		p.add(at, "it is not a mapping of settings (line %d)", n.Line)
		return
	}
	fields := map[string]reflect.Type{}
	for f := range t.Fields() {
		fields[f.Tag.Get("mapstructure")] = f.Type
	}
	for i := 0; i < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Tag == "!!merge" {
			checkNode(p, path, value, t)
			continue
		}
		at := join(path, key.Value)
		if field, ok := fields[key.Value]; ok {
			checkNode(p, at, value, field)
		} else {
			p.add(at, "there is no such setting (line %d)%s", key.Line, spelling.Meant(key.Value, maps.Keys(fields)))
		}
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// typeName is a setting's type in words.
func typeName(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "a duration"
	case t == reflect.TypeFor[Bytes]():
		return "an amount of memory"
	case t == reflect.TypeFor[Number]():
		return "a number"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Int:
		return "a whole number"
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.String:
		return "a list of strings"
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Int:
		return "a list of whole numbers"
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Slice:
		return "a list of lists"
	case t.Kind() == reflect.Slice:
		return "a list"
	case t.Kind() == reflect.String:
		return "a string"
	}
	return t.String()
}

// yamlKind is what a value was read as, in words.
func yamlKind(v any) string {
	switch v.(type) {
	case bool:
		return "true or false"
	case int, int64, uint64, float64:
		return "a number"
	case string:
		return "a string"
	case []any:
		return "a list"
	case map[string]any:
		return "a mapping"
	case time.Time:
		return "a date"
	}
	return fmt.Sprintf("%T", v)
}
