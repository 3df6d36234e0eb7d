package tracing

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const valid = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

func TestParse(t *testing.T) {
	for _, test := range []struct {
		header, trace, span string
		sampled             bool
	}{
		{valid, "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", true},
		{strings.TrimSuffix(valid, "1") + "0", "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", false},
		{strings.TrimSuffix(valid, "01") + "ff", "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", true},
		{"cc" + valid[2:], "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", true},
		{"cc" + valid[2:] + "-what-a-later-version-adds", "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", true},
	} {
		c, ok := Parse([]byte(test.header))
		require.True(t, ok, test.header)
		header := string(c.Header())
		assert.Equal(t, test.sampled, c.Sampled(), test.header)
		if !strings.Contains(test.header, "later") {
			assert.Equal(t, !test.sampled, Unsampled([]byte(test.header)), test.header)
		}
		assert.Equal(t, "00-"+test.trace+"-"+test.span, header[:len(header)-3])
		again, ok := Parse([]byte(header))
		require.True(t, ok)
		assert.Equal(t, c, again)
	}
}

func TestWhatIsNoContext(t *testing.T) {
	for name, header := range map[string]string{
		"nothing":             "",
		"too short":           valid[:54],
		"longer":              valid + "-00",
		"capitals":            strings.ToUpper(valid),
		"no digits":           strings.Replace(valid, "0af", "0ag", 1),
		"version ff":          "ff" + valid[2:],
		"a later one, run on": "01" + valid[2:] + "00",
		"another separator":   strings.Replace(valid, "-", "_", 1),
		"no trace":            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
		"no span":             "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
	} {
		_, ok := Parse([]byte(header))
		assert.False(t, ok, name)
	}
}

func TestChildrenAreTheSameEachTimeAndDifferFromEachOther(t *testing.T) {
	parent, ok := Parse([]byte(valid))
	require.True(t, ok)
	other := parent.Child("ingest", 0)
	seen := map[SpanID]bool{parent.Span: true, {}: true}
	for _, child := range []Context{other, parent.Child("ingest", 1), parent.Child("activation", 0), other.Child("ingest", 0)} {
		assert.False(t, seen[child.Span])
		assert.Equal(t, parent.Trace, child.Trace)
		assert.True(t, child.Sampled())
		seen[child.Span] = true
	}
	assert.Equal(t, other, parent.Child("ingest", 0))
}

// A share of the records is sampled whichever partition they lie in, and each has a trace of its own.
func TestSampler(t *testing.T) {
	const n = 20_000
	for _, share := range []float64{0, 0.01, 0.3, 1} {
		s, sampled, traces := NewSampler(share), 0, map[TraceID]bool{}
		for _, o := range []Origin{NewOrigin("usage", 0), NewOrigin("usage", 1), NewOrigin("clicks", 1)} {
			for offset := range int64(n) {
				traces[o.Trace(offset)] = true
				if s.Samples(o, offset) {
					sampled++
				}
			}
		}
		assert.Len(t, traces, 3*n)
		assert.InDelta(t, share*3*n, sampled, 3*n*0.01)
		if share == 0 || share == 1 {
			assert.Equal(t, int(share)*3*n, sampled)
		}
	}
	assert.Equal(t, NewOrigin("usage", 3).Trace(7), NewOrigin("usage", 3).Trace(7))
}

func TestDecidingTakesNoMemory(t *testing.T) {
	header, origin, sampler, sampled := []byte(valid), NewOrigin("usage", 0), NewSampler(0.001), 0
	assert.Zero(t, testing.AllocsPerRun(1000, func() {
		if c, ok := Parse(header); ok && c.Sampled() && sampler.Samples(origin, 4711) {
			sampled++
		}
	}))
}
