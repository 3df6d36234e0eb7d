package report

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/pqlstream/pqlstream/pkg/rollup"
)

// What rollup says of its metrics is what rows have.
func TestRowsHaveTheFieldsOfTheirMetrics(t *testing.T) {
	settings := rollup.Settings{CohortDays: []int{7, 14, 30}, PaidDays: []int{7, 30, 60, 90}}
	known := map[string]map[string]bool{}
	for _, r := range made(t) {
		if windowless(&r) {
			assert.Nil(t, rollup.Fields(r.Metric))
			continue
		}
		if known[r.Metric] == nil {
			known[r.Metric] = map[string]bool{}
		}
		for _, c := range rollup.Columns {
			switch c.Of(&r).(type) {
			case *rollup.Null[int64], *rollup.Null[float64]:
				if _, has := number64(&r, c.Name); has && c.Name != "mature_at" {
					known[r.Metric][c.Name] = true
				}
			}
		}
		assert.True(t, settings.HasDetail(r.Metric, r.Detail), "%s %q", r.Metric, r.Detail)
		assert.False(t, settings.HasDetail(r.Metric, map[bool]string{true: "1d", false: ""}[r.Detail == ""]), r.Metric)
	}
	for metric, fields := range known {
		assert.ElementsMatch(t, slices.Collect(maps.Keys(fields)), rollup.Fields(metric), metric)
	}
	assert.Len(t, known, len(Metrics)-len(Unplaced))
}
