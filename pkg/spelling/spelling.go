// Package spelling finds what was meant by a name that there is not.
package spelling

import (
	"iter"
	"slices"
	"strings"
)

// Meant is the rest of a sentence that names what may have been meant by a name that there is not; empty when nothing is near.
func Meant(name string, known iter.Seq[string]) string {
	if near := Nearest(name, known); near != "" {
		return "; did you mean " + near + "?"
	}
	return ""
}

// Nearest is the known name that the fewest letters tell from another, empty when that are too many for a slip.
func Nearest(name string, known iter.Seq[string]) string {
	best, least := "", min(3, len(name)/3+1)+1
	for _, k := range slices.Sorted(known) {
		if d := distance(strings.ToLower(name), strings.ToLower(k)); d < least {
			best, least = k, d
		}
	}
	return best
}

// distance counts the letters to be put in, taken out, replaced, or swapped with their neighbour, to make one text of another.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			replaced := rows[i-1][j-1]
			if a[i-1] != b[j-1] {
				replaced++
			}
			rows[i][j] = min(replaced, rows[i-1][j]+1, rows[i][j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
