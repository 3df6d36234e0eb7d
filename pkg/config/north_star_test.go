package config

import (
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestNorthStars(t *testing.T) {
	const metrics = minimal + "metrics: {enabled: true, zones: [Europe/Berlin, UTC], units: [hour, day], north_star: "
	c, err := load(t, metrics+"{metric: pql_rate, detail: 7d, grouping: tier, group: large, field: rate, low: 0.25}}", nil)
	require.NoError(t, err)
	n, chosen := c.Metrics.ChosenNorthStar()
	assert.True(t, chosen)
	assert.Equal(t, NorthStar{Metric: "pql_rate", Detail: "7d", Unit: "hour", Zone: "Europe/Berlin", Grouping: "tier", Group: "large", Field: "rate", Low: "0.25"}, n)
	low, has := n.Low.Value()
	assert.True(t, has)
	assert.InDelta(t, 0.25, low, 0)
	_, has = n.High.Value()
	assert.False(t, has)

	c, err = load(t, metrics+"{metric: pqls, unit: day, zone: UTC, field: current_end, high: 1e3, low: -4}}", nil)
	require.NoError(t, err)
	n, _ = c.Metrics.ChosenNorthStar()
	assert.Equal(t, NorthStar{Metric: "pqls", Unit: "day", Zone: "UTC", Field: "current_end", Low: "-4", High: "1000"}, n)

	c, err = load(t, minimal, nil)
	require.NoError(t, err)
	_, chosen = c.Metrics.ChosenNorthStar()
	assert.False(t, chosen)
}

// What docs/metrics.md shows are good settings.
func TestTheNorthStarOfTheDocumentation(t *testing.T) {
	text, err := os.ReadFile("../../docs/metrics.md")
	require.NoError(t, err)
	shown := regexp.MustCompile("(?s)## The north star\n.*?```yaml\n(.*?)```").FindSubmatch(text)
	require.NotNil(t, shown)
	c, err := load(t, minimal+string(shown[1]), nil)
	require.NoError(t, err)
	n, chosen := c.Metrics.ChosenNorthStar()
	assert.True(t, chosen)
	assert.Equal(t, "week", n.Unit)
}
