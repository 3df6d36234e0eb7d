package checklist

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Lines tells where in a definition's file the paths of problems stand.
type Lines map[string]int

// LinesOf reads the lines of a file. One that is no YAML has none.
func LinesOf(data []byte) Lines {
	lines := Lines{}
	var root yaml.Node
	if err := yaml.Unmarshal(data, &root); err != nil {
		return lines
	}
	var places []place
	collect(&root, "", &places)
	for _, p := range places {
		if lines[p.path] == 0 {
			lines[p.path] = p.line
		}
	}
	return lines
}

// Of returns the line of a path, counted from 1. What the file leaves out is looked for at what holds it; 0 stands for
// the whole file.
func (l Lines) Of(path string) int {
	for path != "" {
		if line := l[path]; line > 0 {
			return line
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return 0
}

// place is where in the file a key or a value stands.
type place struct {
	line int
	path string
}

func collect(n *yaml.Node, path string, places *[]place) {
	if n.Kind != yaml.DocumentNode {
		*places = append(*places, place{n.Line, path})
	}
	switch n.Kind {
	case yaml.DocumentNode:
		for _, c := range n.Content {
			collect(c, path, places)
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			at := strings.TrimPrefix(path+"."+key.Value, ".")
			*places = append(*places, place{key.Line, at})
			collect(n.Content[i+1], at, places)
		}
	case yaml.SequenceNode:
		for i, c := range n.Content {
			collect(c, fmt.Sprintf("%s[%d]", path, i), places)
		}
	}
}
