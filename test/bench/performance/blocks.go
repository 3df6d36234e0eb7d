package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/pqlstream/pqlstream/test/bench/results"
)

// blocks write the parts of the page, by name. One whose results are not there returns fs.ErrNotExist.
var blocks = map[string]func(w io.Writer, folder string) error{
	"catch-up":     table("catch-up"),
	"live":         table("live"),
	"rates":        table("rates"),
	"accounts":     table("accounts"),
	"processes":    table("processes"),
	"metrics":      table("metrics"),
	"metrics-live": table("metrics-live"),
	"rebuild":      table("rebuild"),
	"start":        table("start"),
	"page":         table("page"),
	"page-api":     table("page-api"),
	"aims":         aims,
	"trace":        text("start-trace.txt"),
	"profile":      profile,
	"cost":         costs,
}

// table is a benchmark's result with how it came about.
func table(name string) func(io.Writer, string) error {
	return func(w io.Writer, folder string) error {
		t, err := results.Load(folder, name)
		if err != nil {
			return err
		}
		t.Markdown(w)
		fmt.Fprintf(w, "\n`%s`, %s, on %v.\n", t.Command, t.Date, t.Machine)
		return nil
	}
}

func aims(w io.Writer, folder string) error {
	t, err := results.Load(folder, "catch-up")
	if err == nil {
		t.Aims(w)
	}
	return err
}

// profile is the flame graph, which lies beside the page, and the functions that take most.
func profile(w io.Writer, folder string) error {
	var top strings.Builder
	if err := text("profile.txt")(&top, folder); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "![Flame graph of catching up](performance.svg)\n\n%s", top.String())
	return err
}

// text is a file as it is.
func text(name string) func(io.Writer, string) error {
	return func(w io.Writer, folder string) error {
		b, err := os.ReadFile(filepath.Join(folder, name))
		if err == nil {
			fmt.Fprintf(w, "```\n%s\n```\n", strings.TrimRight(string(b), "\n"))
		}
		return err
	}
}
