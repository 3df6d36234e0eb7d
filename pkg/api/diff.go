package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// changesOf says in words what a definition in YAML has changed of another, none where they say the same. Steps, tiers and
// whatever else has a name is known by it, wherever it stands. Comments and layout don't matter.
func changesOf(from, to string) ([]string, error) {
	var was, is any
	if err := yaml.Unmarshal([]byte(from), &was); err != nil {
		return nil, fmt.Errorf("reading the one: %w", err)
	}
	if err := yaml.Unmarshal([]byte(to), &is); err != nil {
		return nil, fmt.Errorf("reading the other: %w", err)
	}
	c := changes{list: []string{}}
	c.compare("", was, is)
	return c.list, nil
}

type changes struct{ list []string }

func (c *changes) add(format string, args ...any) {
	c.list = append(c.list, fmt.Sprintf(format, args...))
}

func (c *changes) compare(path string, was, is any) {
	if reflect.DeepEqual(was, is) {
		return
	}
	wasMap, one := was.(map[string]any)
	isMap, two := is.(map[string]any)
	if one && two {
		c.compareMaps(path, wasMap, isMap)
		return
	}
	wasNamed, one := named(was)
	isNamed, two := named(is)
	if one && two {
		c.compareNamed(path, &wasNamed, &isNamed)
		return
	}
	c.add("%s: %s, was %s", path, inWords(is), inWords(was))
}

func (c *changes) compareMaps(path string, was, is map[string]any) {
	keys := map[string]bool{}
	for _, m := range []map[string]any{was, is} {
		for key := range m {
			keys[key] = true
		}
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		c.compare(under(path, key), was[key], is[key])
	}
}

// namedList is a list of things that have names of their own.
type namedList struct {
	names []string
	items map[string]any
}

// named reads a list of things with an id or a name each, none of them twice. No list is an empty one.
func named(v any) (namedList, bool) {
	l := namedList{items: map[string]any{}}
	if v == nil {
		return l, true
	}
	items, is := v.([]any)
	for _, item := range items {
		name := nameOf(item)
		if _, twice := l.items[name]; twice || name == "" {
			return l, false
		}
		l.names = append(l.names, name)
		l.items[name] = item
	}
	return l, is
}

func nameOf(item any) string {
	fields, _ := item.(map[string]any)
	for _, key := range []string{"id", "name"} {
		if name, is := fields[key].(string); is {
			return name
		}
	}
	return ""
}

func (c *changes) compareNamed(path string, was, is *namedList) {
	for _, name := range is.names {
		at := under(path, name)
		if before, there := was.items[name]; there {
			c.compare(at, before, is.items[name])
		} else {
			c.add("%s: new, %s", at, inWords(is.items[name]))
		}
	}
	for _, name := range was.names {
		if _, there := is.items[name]; !there {
			c.add("%s: gone, was %s", under(path, name), inWords(was.items[name]))
		}
	}
	if path == "tiers" { // the first that fits is an account's: of nothing else the order matters
		before, now := common(was.names, is), common(is.names, was)
		if !slices.Equal(before, now) {
			c.add("%s: in the order %s, was %s", path, strings.Join(now, ", "), strings.Join(before, ", "))
		}
	}
}

// common are the names that another list has as well.
func common(names []string, other *namedList) (both []string) {
	for _, name := range names {
		if _, there := other.items[name]; there {
			both = append(both, name)
		}
	}
	return both
}

func under(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// inWords shows a value in one line.
func inWords(v any) string {
	switch v := v.(type) {
	case nil:
		return "not set"
	case string:
		return v
	case map[string]any:
		fields := make([]string, 0, len(v))
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if nameOf(v) != "" && (key == "id" || key == "name") {
				continue // the path has it
			}
			fields = append(fields, key+": "+inWords(v[key]))
		}
		return "{" + strings.Join(fields, ", ") + "}"
	case []any:
		items := make([]string, len(v))
		for i := range v {
			items[i] = inWords(v[i])
		}
		return "[" + strings.Join(items, ", ") + "]"
	}
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(text)
}
