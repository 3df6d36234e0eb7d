package scenario

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// form says how a value is written and compared.
type form uint8

const (
	flag     form = iota // it has no value: the attribute's words say it
	text                 // - for none
	set                  // texts with commas between, in any order; - for none
	sequence             // the same, in their order
	percent              // - for none; compared to a tenth of a percent, or to as many digits as are written
	number               // - for none
	moment
)

// value is what an attribute says or an account has.
type value struct {
	none bool
	is   bool // of a flag
	text string
	list []string
	num  float64 // of a percentage, in percent
	at   int64   // ms since the Unix epoch
	fine int     // digits of a percentage after the point
}

func textValue(s string) value       { return value{text: s, none: s == ""} }
func listValue(list []string) value  { return value{list: list, none: len(list) == 0} }
func numberValue(n float64) value    { return value{num: n} }
func shareValue(share float64) value { return value{num: share * 100} }
func flagValue(is bool) value        { return value{is: is} }

var (
	percentage = regexp.MustCompile(`^\d{1,9}(?:\.(\d{1,9}))?%$`)
	decimal    = regexp.MustCompile(`^-?\d{1,400}(?:\.\d{1,15})?$`)
)

// read reads a value from the first tokens, and says how many it took.
func (f form) read(tokens []token, c clock) (v value, used int, err error) {
	if f == flag {
		return value{is: true}, 0, nil
	}
	if len(tokens) == 0 {
		return v, 0, errors.New("a value is missing")
	}
	raw := tokens[0].raw
	switch {
	case f == moment:
		at, used, err := c.read(tokens)
		return value{at: at.UnixMilli()}, used, err
	case raw == nothing:
		v.none = true
	case f == percent:
		m := percentage.FindStringSubmatch(raw)
		if m == nil {
			return v, 0, fmt.Errorf("%q is no percentage such as 75%%", raw)
		}
		v.num, err = strconv.ParseFloat(raw[:len(raw)-1], 64)
		v.fine = len(m[1])
		return v, 1, err
	case f == number:
		if !decimal.MatchString(raw) {
			return v, 0, fmt.Errorf("%q is no number", raw)
		}
		v.num, err = strconv.ParseFloat(raw, 64)
	case f == text:
		v.text = unquoted(raw)
	default:
		v.list = listed(raw)
	}
	return v, 1, err
}

// same says whether an account has what was wanted.
func (f form) same(want, got value) bool {
	if want.none || got.none {
		return want.none == got.none
	}
	switch f {
	case flag:
		return want.is == got.is
	case text:
		return want.text == got.text
	case set:
		return slices.Equal(slices.Sorted(slices.Values(want.list)), slices.Sorted(slices.Values(got.list)))
	case sequence:
		return slices.Equal(want.list, got.list)
	case percent:
		digits := max(want.fine, 1)
		return fixed(want.num, digits) == fixed(got.num, digits)
	case number:
		return want.num == got.num || fixed(want.num, 9) == fixed(got.num, 9)
	}
	return want.at == got.at
}

func fixed(n float64, digits int) string { return strconv.FormatFloat(n, 'f', digits, 64) }

// write is how a value is written that is no flag's. A percentage gets as many digits as there were, one at least.
func (f form) write(v value, fine int, c clock) string {
	if v.none {
		return nothing
	}
	switch f {
	case text:
		return quoted(v.text)
	case set, sequence:
		items := make([]string, len(v.list))
		for i, item := range v.list {
			items[i] = quoted(item)
		}
		return strings.Join(items, ",")
	case percent:
		return trimmed(fixed(v.num, max(fine, 1))) + "%"
	case number:
		return trimmed(fixed(v.num, 9))
	}
	return c.write(v.at)
}

// trimmed drops the zeros at the end of a fraction.
func trimmed(number string) string { return strings.TrimRight(strings.TrimRight(number, "0"), ".") }
