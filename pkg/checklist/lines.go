package checklist

import (
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
