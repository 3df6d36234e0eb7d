package checklist

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxDefinition bounds the bytes of a definition that Parse reads.
const maxDefinition = 1 << 20

// Parse reads a definition from YAML: unknown and repeated keys are errors, and all errors come at once, each a
// Problem with its path. It checks the shape only; Compile checks what it means.
func Parse(data []byte) (*Definition, error) {
	if len(data) > maxDefinition {
		return nil, fmt.Errorf("a definition of %d bytes is over the limit of %d", len(data), maxDefinition)
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	def := &Definition{}
	err := dec.Decode(def)
	var wrong *yaml.TypeError
	switch {
	case errors.Is(err, io.EOF):
		return nil, &Problem{Message: "the definition is empty"}
	case errors.As(err, &wrong):
		return nil, located(data, wrong.Errors)
	case err != nil:
		return nil, &Problem{Message: err.Error()}
	}
	if err := dec.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) {
		return nil, &Problem{Message: "the file holds more than one YAML document"}
	}
	return def, nil
}

var (
	atLine      = regexp.MustCompile(`^line (\d+): (?s:(.*))$`)
	unknownKey  = regexp.MustCompile(`^field (.*) not found in type \S+$`)
	repeatedKey = regexp.MustCompile(`^mapping key "(.*)" already defined at line (\d+)$`)
	wrongType   = regexp.MustCompile("^cannot unmarshal (\\S+)(?: `(.*)`)? into (\\S+)$")
)

// located gives the decoder's messages, which name lines only, their paths.
func located(data []byte, messages []string) error {
	var root yaml.Node
	if err := yaml.Unmarshal(data, &root); err != nil {
		return &Problem{Message: err.Error()}
	}
	var places []place
	collect(&root, "", &places)
	var found problems
	for _, m := range messages {
		parts := atLine.FindStringSubmatch(m)
		if parts == nil {
			found.add("", "%s", m)
			continue
		}
		line, _ := strconv.Atoi(parts[1])
		text, message := reword(parts[2])
		found.add(find(places, line, text), "line %d: %s", line, message)
	}
	return found.err()
}

// reword puts a decoder's message in the words of a definition, and returns the text in the file that it is about.
func reword(message string) (text, reworded string) {
	if m := unknownKey.FindStringSubmatch(message); m != nil {
		return m[1], "unknown field"
	}
	if m := repeatedKey.FindStringSubmatch(message); m != nil {
		return m[1], "given already at line " + m[2]
	}
	if m := wrongType.FindStringSubmatch(message); m != nil {
		return strings.TrimSuffix(m[2], "..."), fmt.Sprintf("%s where %s belongs", described(m[1], m[2]), wanted(m[3]))
	}
	if _, rest, ok := strings.Cut(message, "`"); ok {
		text, _, _ = strings.Cut(rest, "`")
	}
	return text, message
}

func described(tag, text string) string {
	if text != "" {
		return "`" + text + "`"
	}
	return map[string]string{"!!map": "a mapping", "!!seq": "a list"}[tag]
}

func wanted(goType string) string {
	switch {
	case goType == "int":
		return "a whole number"
	case goType == "float64":
		return "a number"
	case goType == "string":
		return "a text"
	case strings.HasPrefix(goType, "[]"):
		return "a list"
	}
	return "a mapping"
}

// place is where in the file a key or a value stands.
type place struct {
	line int
	text string
	path string
}

func collect(n *yaml.Node, path string, places *[]place) {
	switch n.Kind {
	case yaml.DocumentNode:
		for _, c := range n.Content {
			collect(c, path, places)
		}
	case yaml.MappingNode:
		*places = append(*places, place{n.Line, "", path})
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			at := strings.TrimPrefix(path+"."+key.Value, ".")
			*places = append(*places, place{key.Line, key.Value, at})
			collect(n.Content[i+1], at, places)
		}
	case yaml.SequenceNode:
		*places = append(*places, place{n.Line, "", path})
		for i, c := range n.Content {
			collect(c, fmt.Sprintf("%s[%d]", path, i), places)
		}
	case yaml.ScalarNode:
		*places = append(*places, place{n.Line, n.Value, path})
	}
}

// find returns the path of a text at a line: the last that starts with it, since a repeated key follows the first. No
// text stands for a list or a mapping.
func find(places []place, line int, text string) (path string) {
	for _, p := range places {
		if p.line == line && strings.HasPrefix(p.text, text) && (text != "" || p.text == "") {
			path = p.path
		}
	}
	return path
}
