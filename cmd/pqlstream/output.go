package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

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
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(value)
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
	e := yaml.NewEncoder(w)
	e.SetIndent(2)
	if err := e.Encode(&doc); err != nil {
		return fmt.Errorf("writing YAML: %w", err)
	}
	return e.Close()
}

// inBlocks takes away brackets and quotes that need not be.
func inBlocks(n *yaml.Node) {
	n.Style = 0
	for _, child := range n.Content {
		inBlocks(child)
	}
}
