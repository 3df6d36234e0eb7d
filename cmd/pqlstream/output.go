package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// The formats of what commands tell. Some commands have others besides.
const (
	formatTable = "table" // for people: a table where it is one, otherwise sentences
	formatJSON  = "json"
	formatYAML  = "yaml"
)

// output is the flag --output of every command that tells something.
type output struct {
	format  string
	formats []string
}

// addTo adds the flag to a command, with formats that it has beside table, json and yaml.
func (o *output) addTo(cmd *cobra.Command, more ...string) { o.addToSet(cmd, cmd.Flags(), more...) }

// addToAll adds the flag to a command and those below it.
func (o *output) addToAll(cmd *cobra.Command) { o.addToSet(cmd, cmd.PersistentFlags()) }

func (o *output) addToSet(cmd *cobra.Command, flags *pflag.FlagSet, more ...string) {
	o.format, o.formats = formatTable, append([]string{formatTable, formatJSON, formatYAML}, more...)
	flags.VarP(o, "output", "o", "`format` of what is told: "+o.choice())
	complete(cmd, "output", func() []string { return o.formats })
}

func (o *output) choice() string {
	last := len(o.formats) - 1
	return strings.Join(o.formats[:last], ", ") + " or " + o.formats[last]
}

// String, Set and Type implement pflag.Value.
func (o *output) String() string { return o.format }

func (o *output) Set(format string) error {
	if !slices.Contains(o.formats, format) {
		return fmt.Errorf("it is %s", o.choice())
	}
	o.format = format
	return nil
}

func (o *output) Type() string { return "format" }

// forPeople says whether people read what is told.
func (o *output) forPeople() bool { return o.format == formatTable }

// write writes a value for programs, by its JSON form, or what people read of it.
func (o *output) write(w io.Writer, value any, people func(io.Writer) error) error {
	switch o.format {
	case formatJSON:
		return writeJSON(w, value)
	case formatYAML:
		return writeYAML(w, value)
	}
	return people(w)
}

func writeJSON(w io.Writer, value any) error {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(value); err != nil {
		return err
	}
	_, err := w.Write(escaped(text.Bytes()))
	return err
}

// escaped writes what can't be seen as JSON's \u0085, as the library does where JSON itself asks for it: terminals take some of it for
// commands, and YAML for the end of a line.
func escaped(text []byte) []byte {
	seen := func(r rune) bool { return r == '\n' || unicode.IsPrint(r) || r > 0xffff }
	if !bytes.ContainsFunc(text, func(r rune) bool { return !seen(r) }) {
		return text
	}
	var all []byte
	for _, r := range string(text) {
		if seen(r) {
			all = utf8.AppendRune(all, r)
		} else {
			all = fmt.Appendf(all, `\u%04x`, r)
		}
	}
	return all
}

// writeYAML writes a value's JSON form as YAML, with the same names in the same order: JSON is YAML already, written in another style.
func writeYAML(w io.Writer, value any) error {
	var text bytes.Buffer
	if err := writeJSON(&text, value); err != nil {
		return err
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(text.Bytes(), &doc); err != nil {
		return fmt.Errorf("writing YAML: %w", err)
	}
	inBlocks(&doc)
	var blocks bytes.Buffer
	e := yaml.NewEncoder(&blocks)
	e.SetIndent(2)
	if err := errors.Join(e.Encode(&doc), e.Close()); err != nil {
		return fmt.Errorf("writing YAML: %w", err)
	}
	_, err := w.Write(escaped(blocks.Bytes())) // what has to be is in quotes: no plain name has it
	return err
}

// inBlocks takes away brackets, and the quotes of names that are texts by any version of YAML. Texts keep theirs: readers of YAML 1.1 take
// yes, on and 190:20:30 for something else.
func inBlocks(n *yaml.Node) {
	if n.Kind != yaml.ScalarNode || n.Tag != "!!str" {
		n.Style = 0
	}
	for i, child := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 && plainName.MatchString(child.Value) && !otherThanText.MatchString(child.Value) {
			child.Style = 0
			continue
		}
		inBlocks(child)
	}
}

var (
	plainName     = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)
	otherThanText = regexp.MustCompile(`^(?i:y|n|yes|no|on|off|true|false|null)$`)
)
