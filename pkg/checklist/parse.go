package checklist

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"
)

// maxDefinition bounds the bytes of a definition that Parse reads.
const maxDefinition = 1 << 20

// Parse reads a definition from YAML: unknown, repeated and empty keys are errors, and all errors come at once, each a
// Problem with its path. It checks the shape only; Compile checks what it means.
func Parse(data []byte) (*Definition, error) {
	def, mistakes := read(data)
	if len(mistakes) == 0 {
		return def, nil
	}
	var found problems
	for _, m := range mistakes {
		if m.Line > 0 {
			m.Message = fmt.Sprintf("line %d: %s", m.Line, m.Message)
		}
		found.add(m.Path, "%s", m.Message)
	}
	return nil, found.err()
}

// read reads what can be read of a definition, and says what is wrong with the shape of the rest, which it leaves out; nil
// when nothing can be read.
func read(data []byte) (*Definition, []Mistake) {
	whole := func(message string) []Mistake { return []Mistake{{Problem: Problem{Message: message}}} }
	if len(data) > maxDefinition {
		return nil, whole(fmt.Sprintf("a definition of %d bytes is over the limit of %d", len(data), maxDefinition))
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var root yaml.Node
	switch err := dec.Decode(&root); {
	case errors.Is(err, io.EOF), err == nil && isNull(root.Content[0]):
		return nil, whole("the definition is empty")
	case err != nil:
		return nil, whole(err.Error())
	}
	if err := dec.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) {
		return nil, whole("the file holds more than one YAML document")
	}
	var s shape
	if !s.fits(root.Content[0], definitionType, "") {
		return nil, s.mistakes
	}
	def := &Definition{}
	if err := root.Decode(def); err != nil { // aliases that stand for too much
		return nil, append(s.mistakes, whole(err.Error())...)
	}
	return def, s.mistakes
}
