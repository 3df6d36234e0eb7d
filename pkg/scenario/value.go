package scenario

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pqlstream/pqlstream/pkg/rollup"
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
	ratio                // - for none; compared to a thousandth, or to as many digits as are written
	length               // of time, - for none; compared to a millisecond
	about                // a length of time that is known as exactly as sketches know it
	moment               // - for none
)

// value is what an attribute says or an account has.
type value struct {
	none bool
	is   bool // of a flag
	text string
	list []string
	num  float64 // of a percentage, in percent; of a length of time, in seconds
	at   int64   // ms since the Unix epoch
	fine int     // digits of a percentage or a ratio after the point
}

func textValue(s string) value       { return value{text: s, none: s == ""} }
func listValue(list []string) value  { return value{list: list, none: len(list) == 0} }
func numberValue(n float64) value    { return value{num: n} }
func shareValue(share float64) value { return value{num: share * 100} }
func flagValue(is bool) value        { return value{is: is} }

var (
	percentage = regexp.MustCompile(`^-?\d{1,9}(?:\.(\d{1,9}))?%$`)
	decimal    = regexp.MustCompile(`^-?\d{1,400}(?:\.(\d{1,15}))?$`)
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
	case raw == nothing:
		v.none = true
	case f == moment:
		at, used, err := c.read(tokens)
		return value{at: at.UnixMilli()}, used, err
	case f == percent:
		m := percentage.FindStringSubmatch(raw)
		if m == nil {
			return v, 0, fmt.Errorf("%q is no percentage such as 75%%", raw)
		}
		v.num, err = strconv.ParseFloat(raw[:len(raw)-1], 64)
		v.fine = len(m[1])
		return v, 1, err
	case f == number, f == ratio:
		m := decimal.FindStringSubmatch(raw)
		if m == nil {
			return v, 0, fmt.Errorf("%q is no number", raw)
		}
		v.num, err = strconv.ParseFloat(raw, 64)
		v.fine = len(m[1])
	case f == length, f == about:
		v.num, err = readSeconds(raw)
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
	case percent, ratio:
		digits := f.digits(want.fine)
		return fixed(want.num, digits) == fixed(got.num, digits)
	case number:
		return want.num == got.num || fixed(want.num, 9) == fixed(got.num, 9)
	case length:
		return math.Round(want.num*1000) == math.Round(got.num*1000)
	case about:
		return math.Abs(got.num-want.num) <= rollup.RelativeError*want.num+1e-6 // what is written is rounded
	}
	return want.at == got.at
}

// digits is how many digits after the point of a percentage or a ratio matter, of which so many are written.
func (f form) digits(written int) int {
	if f == percent {
		return max(written, 1)
	}
	return max(written, 3)
}

func fixed(n float64, digits int) string {
	text := strconv.FormatFloat(n, 'f', digits, 64)
	if strings.Trim(text, "-0.") == "" {
		return strings.TrimPrefix(text, "-")
	}
	return text
}

// write is how a value is written that is no flag's. A percentage or a ratio gets as many digits as there were, or as matter.
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
		return trimmed(fixed(v.num, f.digits(fine))) + "%"
	case ratio:
		return trimmed(fixed(v.num, f.digits(fine)))
	case number:
		return trimmed(fixed(v.num, 9))
	case length:
		return writeSeconds(v.num, 3)
	case about:
		return writeSeconds(v.num, aboutDigits(v.num))
	}
	return c.write(v.at)
}

// trimmed drops the zeros at the end of a fraction.
func trimmed(number string) string {
	if !strings.Contains(number, ".") {
		return number
	}
	return strings.TrimRight(strings.TrimRight(number, "0"), ".")
}

// aboutDigits is how many digits after the point a length of time needs that is exact to 1 %.
func aboutDigits(seconds float64) int {
	switch {
	case seconds >= 100:
		return 0
	case seconds >= 1:
		return 3
	}
	return 6
}

var inUnits = regexp.MustCompile(`^(?:(\d{1,6})d)?(?:(\d{1,8})h)?(?:(\d{1,9})m)?(?:(\d{1,10}(?:\.\d{1,6})?)s)?$`)

// unitSeconds are how long the units of inUnits are. A day has 24 hours.
var unitSeconds = [...]float64{86_400, 3600, 60, 1}

// readSeconds reads a length of time, in seconds.
func readSeconds(text string) (seconds float64, err error) {
	m := inUnits.FindStringSubmatch(text)
	if m == nil || text == "" {
		return 0, fmt.Errorf("%q is no length of time such as 2d, 1h30m or 0.25s", text)
	}
	for i, unit := range unitSeconds {
		if m[i+1] != "" {
			n, _ := strconv.ParseFloat(m[i+1], 64) // digits
			seconds += n * unit
		}
	}
	return seconds, nil
}

// writeSeconds writes seconds with some digits after the point.
func writeSeconds(seconds float64, digits int) string {
	var b strings.Builder
	parts := math.Pow10(digits)
	seconds = math.Round(seconds*parts) / parts
	for i, unit := range unitSeconds[:3] {
		if n := math.Floor(seconds / unit); n > 0 {
			fmt.Fprintf(&b, "%.0f%c", n, "dhm"[i])
			seconds -= n * unit
		}
	}
	if rest := trimmed(fixed(seconds, digits)); rest != "0" || b.Len() == 0 {
		b.WriteString(rest + "s")
	}
	return b.String()
}
