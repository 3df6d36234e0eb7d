package report

import (
	"math"
	"strings"
)

var (
	eighths = []rune(" ▏▎▍▌▋▊▉█")
	levels  = []rune("▁▂▃▄▅▆▇█")
)

// bar draws a value as so many characters of the width that the largest value has. What is more than nothing is seen.
func bar(value, largest float64, width int) string {
	if value <= 0 || largest <= 0 || width <= 0 {
		return ""
	}
	n := int(math.Round(min(value/largest, 1) * float64(width*8)))
	n = max(n, 1)
	text := strings.Repeat(string(eighths[8]), n/8)
	if n%8 > 0 {
		text += string(eighths[n%8])
	}
	return text
}

// spark draws values beside one another, from 0 to the largest. If they are more than the width, each character is the
// mean of some.
func spark(values []float64, width int) string {
	values = condense(values, width)
	largest := 0.0
	for _, v := range values {
		largest = max(largest, v)
	}
	var b strings.Builder
	for _, v := range values {
		level := 0
		if largest > 0 {
			level = int(math.Round(max(v, 0) / largest * float64(len(levels)-1)))
		}
		b.WriteRune(levels[level])
	}
	return b.String()
}

func condense(values []float64, width int) []float64 {
	if len(values) <= width || width < 1 {
		return values
	}
	out := make([]float64, width)
	for i := range out {
		from, to := i*len(values)/width, (i+1)*len(values)/width
		for _, v := range values[from:to] {
			out[i] += v / float64(to-from)
		}
	}
	return out
}
