package main

import (
	"os"

	"golang.org/x/term"
)

// terminal returns the terminal that a stream is, nil if it is none.
func terminal(stream any) *os.File {
	if file, is := stream.(*os.File); is && term.IsTerminal(int(file.Fd())) {
		return file
	}
	return nil
}

// isTerminal says whether somebody can answer, or looks on.
func isTerminal(stream any) bool { return terminal(stream) != nil }

// columnsOf is how wide a terminal is, 0 when the stream is none or does not say.
func columnsOf(stream any) int {
	file := terminal(stream)
	if file == nil {
		return 0
	}
	columns, _, err := term.GetSize(int(file.Fd()))
	if err != nil {
		return 0
	}
	return columns
}

// paint colours text where that helps: on terminals of people who have not asked for none. See no-color.org.
type paint bool

func paintOn(stream any) paint { return paint(isTerminal(stream) && allowsColour(os.Getenv)) }

func allowsColour(env func(string) string) bool {
	return env("NO_COLOR") == "" && env("TERM") != "dumb"
}

// The colours that are used.
const (
	red    = "31"
	green  = "32"
	yellow = "33"
	grey   = "90"
)

func (p paint) colour(code, text string) string {
	if !p || code == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}
