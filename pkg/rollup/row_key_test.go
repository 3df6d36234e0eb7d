package rollup

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestKeysOfRowsCanBeTakenApart(t *testing.T) {
	for _, r := range []Row{
		{},
		{Metric: MetricPQLs, Unit: string(Week), WindowStart: -5, Zone: "Europe/Berlin"},
		{Metric: MetricFunnel, Detail: `a|b\c`, Unit: string(Day), WindowStart: 1_741_000_000_000, Zone: "UTC", Grouping: "tier,plan", Group: `l\,arge,|`},
	} {
		got, err := ParseKey(r.Key())
		require.NoError(t, err, r.Key())
		assert.Equal(t, r, got)
	}
	for _, key := range []string{"", "pqls", "pqls||week|x|UTC||", "pqls||week|+5|UTC||", "pqls||week|0|UTC|||", `pqls||week|0|UTC||\`, `p\qls||week|0|UTC||`} {
		_, err := ParseKey(key)
		assert.EqualError(t, err, strconv.Quote(key)+" is not the key of a metric's row")
	}
}
