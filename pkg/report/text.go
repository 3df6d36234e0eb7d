package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/pqlstream/pqlstream/pkg/rollup"
)

// printable replaces what a terminal would take for a command: values come from whoever sends events.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}

// number writes a number with commas between thousands, nothing where it is unknown.
func number(n rollup.Null[int64]) string {
	if !n.Known {
		return ""
	}
	digits := strconv.FormatInt(n.Value, 10)
	start := 0
	if n.Value < 0 {
		start = 1
	}
	for at := len(digits) - 3; at > start; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}

// signed writes a number with its sign.
func signed(n int64) string {
	text := number(rollup.Null[int64]{Value: n, Known: true})
	if n > 0 {
		return "+" + text
	}
	return text
}

// percent writes a share, nothing where it is unknown.
func percent(share rollup.Null[float64]) string {
	if !share.Known {
		return ""
	}
	return fmt.Sprintf("%.1f %%", share.Value*100)
}

// interval writes from what to what a share may lie.
func interval(low, high rollup.Null[float64]) string {
	if !low.Known || !high.Known {
		return ""
	}
	return fmt.Sprintf("%.1f to %.1f %%", low.Value*100, high.Value*100)
}

// duration writes seconds in the two largest units that they have, nothing where they are unknown.
func duration(seconds rollup.Null[float64]) string {
	if !seconds.Known {
		return ""
	}
	s := int64(math.Round(seconds.Value))
	switch {
	case s < 60:
		return fmt.Sprintf("%d s", s)
	case s < 3600:
		return fmt.Sprintf("%d min", (s+30)/60)
	case s < 24*3600:
		m := (s + 30) / 60
		return fmt.Sprintf("%d h %02d min", m/60, m%60)
	}
	h := (s + 1800) / 3600
	return fmt.Sprintf("%d d %02d h", h/24, h%24)
}

// window writes which window a row is of.
func window(r *rollup.Row, zones *zones) string {
	t := zones.at(r.WindowStart, r.Zone)
	switch rollup.Unit(r.Unit) {
	case rollup.Hour:
		return t.Format("2006-01-02 15:04 -07:00")
	case rollup.Month:
		return t.Format("2006-01")
	}
	return t.Format(time.DateOnly)
}

// moment writes a time, without the clock's if a day begins there.
func moment(t time.Time) string {
	if t.Hour() == 0 && t.Minute() == 0 {
		return t.Format(time.DateOnly)
	}
	return t.Format("2006-01-02 15:04")
}

// standing says what can still become of a row, and what has been corrected in it.
func standing(r *rollup.Row, zones *zones) string {
	var parts []string
	if !r.Closed {
		parts = append(parts, "still open")
	}
	if unripe(r) {
		parts = append(parts, "unripe until "+ripens(r, zones))
	}
	return strings.Join(append(parts, corrected(r)...), ", ")
}

// ripens writes when a row ripens: the day, and of hours also the time.
func ripens(r *rollup.Row, zones *zones) string {
	t := zones.at(r.MatureAt.Value, r.Zone)
	if rollup.Unit(r.Unit) == rollup.Hour {
		return moment(t)
	}
	return t.Format(time.DateOnly)
}

func unripe(r *rollup.Row) bool { return r.MatureAt.Known && !r.Mature && r.MatureAt.Value > r.AsOf }

func corrected(r *rollup.Row) []string {
	if r.Restated == "" {
		return nil
	}
	return []string{"corrected (" + strings.ReplaceAll(r.Restated, ",", ", ") + ")"}
}
