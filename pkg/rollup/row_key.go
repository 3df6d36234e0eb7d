package rollup

import (
	"fmt"
	"strconv"
)

// ParseKey takes a key of pql.metrics apart: it returns a row with the columns that are in its Key, and nothing else.
func ParseKey(key string) (Row, error) {
	parts, ok := splitKey(key)
	if !ok || len(parts) != 7 {
		return Row{}, fmt.Errorf("%q is not the key of a metric's row", key)
	}
	start, err := strconv.ParseInt(parts[3], 10, 64)
	r := Row{Metric: parts[0], Detail: parts[1], Unit: parts[2], WindowStart: start, Zone: parts[4], Grouping: parts[5], Group: parts[6]}
	if err != nil || r.Key() != key {
		return Row{}, fmt.Errorf("%q is not the key of a metric's row", key)
	}
	return r, nil
}
