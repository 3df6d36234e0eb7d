package rollup

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestWilsonIsWhatWasPublished holds the interval against the examples of R. G. Newcombe, "Two-sided confidence intervals for
// the single proportion: comparison of seven methods", Statistics in Medicine 17 (1998), table I, method 3.
func TestWilsonIsWhatWasPublished(t *testing.T) {
	for _, c := range []struct {
		hits, n   int64
		low, high float64
	}{
		{81, 263, 0.2553, 0.3662},
		{15, 148, 0.0624, 0.1605},
		{0, 20, 0, 0.1611},
		{1, 29, 0.0061, 0.1718},
	} {
		low, high := wilson(c.hits, c.n)
		assert.InDelta(t, c.low, low, 0.00005, fmt.Sprint(c))
		assert.InDelta(t, c.high, high, 0.00005, fmt.Sprint(c))
	}
	low, high := wilson(20, 20)
	assert.InDelta(t, 1-0.1611, low, 0.00005)
	assert.Equal(t, 1.0, high)
}

// TestNewcombeIsWhatWasPublished holds the interval against the paper's table II, method 10.
func TestNewcombeIsWhatWasPublished(t *testing.T) {
	for _, c := range []struct {
		hits, n, otherHits, otherN int64
		low, high                  float64
	}{
		{56, 70, 48, 80, 0.0524, 0.3339},
		{9, 10, 3, 10, 0.1705, 0.8090},
		{6, 7, 2, 7, 0.0582, 0.8062},
		{5, 56, 0, 29, -0.0381, 0.1926},
		{0, 10, 0, 20, -0.1611, 0.2775},
		{0, 10, 0, 10, -0.2775, 0.2775},
		{10, 10, 0, 20, 0.6791, 1.0000},
		{10, 10, 0, 10, 0.6075, 1.0000},
	} {
		low, high := newcombe(c.hits, c.n, c.otherHits, c.otherN)
		assert.InDelta(t, c.low, low, 0.00005, fmt.Sprint(c))
		assert.InDelta(t, c.high, high, 0.00005, fmt.Sprint(c))
		back, forth := newcombe(c.otherHits, c.otherN, c.hits, c.n)
		assert.InDelta(t, -high, back, 1e-12)
		assert.InDelta(t, -low, forth, 1e-12)
	}
}
