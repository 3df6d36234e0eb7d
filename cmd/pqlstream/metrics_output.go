package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/pqlstream/pqlstream/pkg/report"
	"github.com/pqlstream/pqlstream/pkg/rollup"
)

// The formats that `pqlstream metrics` has besides.
const (
	formatJSONL   = "jsonl" // a line a row, as on the topic
	formatCSV     = "csv"
	formatParquet = "parquet"
)

type rowWriter func(io.Writer, []rollup.Row) error

// writer returns what writes the format that the flags ask for. An error says what is wrong with them.
func (f *metricsFlags) writer(stdout io.Writer) (rowWriter, error) {
	switch f.output.format {
	case formatCSV:
		return report.WriteCSV, nil
	case formatJSON:
		return rowsAsJSON, nil
	case formatJSONL:
		return rowsAsLines, nil
	case formatYAML:
		return rowsAsYAML, nil
	case formatParquet:
		if f.out == "" && isTerminal(stdout) {
			return nil, misused("--output parquet: it is not for terminals: give --out, or a pipe")
		}
		return report.WriteParquet, nil
	}

	style := styleOf(stdout, os.Getenv)
	if f.out != "" {
		style = report.Style{Width: report.PipeWidth}
	}
	style.Brief, style.Last = len(f.metrics) == 0, f.from == "" && f.to == ""
	return func(w io.Writer, rows []rollup.Row) error { return report.Print(w, rows, style) }, nil
}

// rowsAsLines writes a line a row.
func rowsAsLines(w io.Writer, rows []rollup.Row) error {
	var lines bytes.Buffer
	if err := report.WriteJSON(&lines, rows); err != nil {
		return err
	}
	_, err := w.Write(escaped(lines.Bytes()))
	return err
}

// rowsAsJSON writes a list, each row on a line of its own.
func rowsAsJSON(w io.Writer, rows []rollup.Row) error {
	var lines bytes.Buffer
	if err := rowsAsLines(&lines, rows); err != nil {
		return err
	}
	list := bytes.ReplaceAll(bytes.TrimSuffix(lines.Bytes(), []byte("\n")), []byte("\n"), []byte(",\n"))
	_, err := fmt.Fprintf(w, "[%s]\n", list)
	return err
}

// rowsAsYAML writes the same list.
func rowsAsYAML(w io.Writer, rows []rollup.Row) error {
	var list bytes.Buffer
	if err := rowsAsJSON(&list, rows); err != nil {
		return err
	}
	return writeYAML(w, json.RawMessage(list.Bytes()))
}

// deliver writes rows to the file, which is replaced once all is written, or to stdout.
func (f *metricsFlags) deliver(stdout io.Writer, rows []rollup.Row, write rowWriter) error {
	if f.out == "" {
		return buffered(stdout, rows, write)
	}
	part := f.out + ".part"
	file, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	err = errors.Join(buffered(file, rows, write), file.Close())
	if err == nil {
		err = os.Rename(part, f.out)
	}
	if err != nil {
		return fmt.Errorf("--out: %w", errors.Join(err, os.Remove(part)))
	}
	return nil
}

func buffered(w io.Writer, rows []rollup.Row, write rowWriter) error {
	b := bufio.NewWriterSize(w, 64<<10)
	if err := write(b, rows); err != nil {
		return err
	}
	return b.Flush()
}

// styleOf returns how tables look on a terminal, or elsewhere: without colours, and with lines of a fixed width. See no-color.org.
func styleOf(w io.Writer, env func(string) string) report.Style {
	style := report.Style{Width: report.PipeWidth}
	file := terminal(w)
	if file == nil {
		return style
	}
	style.Colour = allowsColour(env)
	if width := columnsOf(file); width > 0 {
		style.Width = width
	}
	return style
}
