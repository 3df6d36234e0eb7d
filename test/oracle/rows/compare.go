package rows

import (
	"fmt"
	"maps"
	"math"
	"slices"
)

// Compare returns how the rows that there are differ from those that there have to be. A row need not be there that has nothing to tell; one
// that nobody expects says nothing but zeros: what it has told was taken back.
func Compare(want, got map[Key]Row) (differences []string) {
	for key, theirs := range got {
		ours, known := want[key]
		if !known {
			differences = append(differences, zeros(key, theirs)...)
			continue
		}
		for column := range union(ours, theirs) {
			a, has := ours[column]
			b, has2 := theirs[column]
			if (has != has2 || !same(column, a, b)) && !moot(key, column, ours) {
				differences = append(differences, fmt.Sprintf("%+v: %s: %v %t, and has to be %v %t", key, column, b, has2, a, has))
			}
		}
	}
	for key, ours := range want {
		if _, there := got[key]; !there && !nothing(key, ours) {
			differences = append(differences, fmt.Sprintf("%+v: missing: %v", key, ours))
		}
	}
	slices.Sort(differences)
	return differences
}

func union(a, b Row) map[string]float64 {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// zeros says what a row tells that nobody expects.
func zeros(key Key, r Row) (differences []string) {
	for column, v := range r {
		switch column {
		case "window_end", "closed", "mature", "mature_at", "position":
			continue
		}
		if v != 0 {
			differences = append(differences, fmt.Sprintf("%+v: %s: %v, and nothing has happened", key, column, v))
		}
	}
	return differences
}

// same says whether numbers are: those of sketches are 1 % off at most.
func same(column string, a, b float64) bool {
	within := 1e-9 * math.Max(1, math.Abs(a))
	switch column {
	case "min", "p50", "p75", "p90", "p99", "max":
		within = (0.01 + 1e-9) * math.Abs(a)
	}
	return math.Abs(a-b) <= within
}

// moot says that a column means nothing: where a step stands that nobody has done.
func moot(key Key, column string, r Row) bool {
	return key.Metric == "funnel" && r["numerator"] == 0 && (column == "position" || column == "previous")
}

// nothing says that a row has nothing to tell.
func nothing(key Key, r Row) bool {
	switch key.Metric {
	case "pqls":
		return r["current_start"] == 0 && r["inflow"] == 0 && r["outflow"] == 0
	case "funnel", "activation_rate":
		return r["numerator"] == 0
	case "hold_out":
		return r["control_denominator"] == 0
	}
	return false
}
