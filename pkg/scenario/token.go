package scenario

import (
	"errors"
	"strconv"
	"strings"
	"unicode"
)

// token is a word of a line, as it is written there: quoted in part, or as a whole.
type token struct {
	raw  string
	from int // where in the line
}

func (t token) to() int { return t.from + len(t.raw) }

var errOpenQuote = errors.New(`a quote " is not closed, or a \ in quotes is not one of \" \\ \n \t \u0000`)

// scan takes a line apart from an index on. White space separates tokens; a # after white space begins a comment.
func scan(line string, at int) ([]token, error) {
	var tokens []token
	for at < len(line) {
		switch line[at] {
		case ' ', '\t':
			at++
			continue
		case '#':
			return tokens, nil
		}
		from := at
		for at < len(line) && line[at] != ' ' && line[at] != '\t' {
			if line[at] != '"' {
				at++
				continue
			}
			quoted, err := strconv.QuotedPrefix(line[at:])
			if err != nil {
				return nil, errOpenQuote
			}
			at += len(quoted)
		}
		tokens = append(tokens, token{line[from:at], from})
	}
	return tokens, nil
}

// unquoted returns what a token means.
func unquoted(raw string) string {
	var b strings.Builder
	for raw != "" {
		quoted, err := strconv.QuotedPrefix(raw)
		if raw[0] != '"' || err != nil {
			b.WriteByte(raw[0])
			raw = raw[1:]
			continue
		}
		text, _ := strconv.Unquote(quoted)
		b.WriteString(text)
		raw = raw[len(quoted):]
	}
	return b.String()
}

// outside returns where a byte first stands outside quotes, -1 if nowhere.
func outside(raw string, c byte) int {
	inQuotes := false
	for i := 0; i < len(raw); i++ {
		switch {
		case raw[i] == '"':
			inQuotes = !inQuotes
		case inQuotes && raw[i] == '\\':
			i++
		case !inQuotes && raw[i] == c:
			return i
		}
	}
	return -1
}

// listed takes apart a list: a,b,"c, d".
func listed(raw string) (items []string) {
	for {
		at := outside(raw, ',')
		if at < 0 {
			return append(items, unquoted(raw))
		}
		items = append(items, unquoted(raw[:at]))
		raw = raw[at+1:]
	}
}

// nothing is how it is written that there is none.
const nothing = "-"

// quoted is how a text is written, in quotes only where it needs them.
func quoted(text string) string {
	odd := func(r rune) bool { return !strconv.IsPrint(r) || unicode.IsSpace(r) || strings.ContainsRune(`"#,`, r) }
	if text == "" || text == nothing || strings.ContainsFunc(text, odd) || strings.ContainsRune(text, unicode.ReplacementChar) {
		return strconv.Quote(text)
	}
	return text
}
