package checklist

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

func TestSegments(t *testing.T) {
	c, err := compiled(good + `
segments:
  - {name: enterprise, when: 'account.company_size >= 500'}
  - {name: stuck, when: '!steps.first_project && rate >= 0.5'}
  - {name: all, when: 'true'}
  - {name: sold, when: 'converted'}
`)
	require.NoError(t, err)
	assert.Equal(t, []string{"enterprise", "stuck", "all", "sold"}, c.SegmentNames())
	large := []usage.Value{usage.LongValue(500)}
	assert.Equal(t, []string{"enterprise", "stuck", "all"}, c.Segments(large, &Behaviour{Rate: 0.5}))
	assert.Equal(t, []string{"enterprise", "all"}, c.Segments(large, &Behaviour{Rate: 0.5, Done: [2]uint64{1}}))
	assert.Equal(t, []string{"all", "sold"}, c.Segments(c.Defaults(), &Behaviour{Converted: true}))

	first, second := c.Segments(large, &Behaviour{}), c.Segments(large, &Behaviour{})
	first[0] = "changed"
	assert.Equal(t, "enterprise", second[0], "the names are the caller's own")

	c, err = compiled(good + "segments: [{name: sold, when: converted}]")
	require.NoError(t, err)
	assert.Nil(t, c.Segments(large, &Behaviour{}))

	c, err = compiled(good)
	require.NoError(t, err)
	assert.Nil(t, c.SegmentNames())
	assert.Nil(t, c.Segments(large, nil))
}

func TestWrongSegmentsAreRefused(t *testing.T) {
	_, err := compiled(good + `
segments:
  - {name: no good, when: 'true'}
  - {name: a, when: 'true'}
  - {name: a, when: 'steps.missing'}
  - {name: b}
`)
	assert.EqualError(t, err, strings.Join([]string{
		`segments[0].name: "no good" is not a name of 1 to 64 letters, digits, dots, dashes or underscores`,
		`segments[2].name: "a" is taken already`,
		`segments[2].when: line 1, column 6: there is no step "missing"`,
		`segments[3].when: is missing`,
	}, "\n"))

	many := good + "segments:\n"
	for i := range 50 {
		many += fmt.Sprintf("  - {name: s%d, when: 'true'}\n", i)
	}
	_, err = compiled(many)
	require.NoError(t, err)
	_, err = compiled(many + "  - {name: more, when: 'true'}\n")
	assert.EqualError(t, err, "segments: are 51, over the limit of 50")
}

func TestSegmentsArePartOfTheHash(t *testing.T) {
	hash := func(segments string) string {
		c, err := compiled(good + "segments: [" + segments + "]")
		require.NoError(t, err)
		return c.Hash()
	}
	base := hash("{name: a, when: 'pql && rate > 0.5'}, {name: b, when: 'converted'}")
	assert.Equal(t, base, hash("{name: b, when: '(converted)'}, {name: a, when: 'pql&&rate>0.5'}"))
	for _, other := range []string{
		"", "{name: a, when: 'pql && rate > 0.5'}", "{name: a, when: 'pql && rate > 0.6'}, {name: b, when: 'converted'}",
		"{name: a, when: 'converted'}, {name: b, when: 'pql && rate > 0.5'}",
		"{name: a, when: 'pql && rate > 0.5'}, {name: c, when: 'converted'}",
	} {
		assert.NotEqual(t, base, hash(other), other)
	}
}
