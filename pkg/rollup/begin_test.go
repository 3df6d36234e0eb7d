package rollup

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestRowsOfAWindowBeginTogether gives a window counters before the watermark has reached it: neither its series nor its other
// rows are told before that, and then all are.
func TestRowsOfAWindowBeginTogether(t *testing.T) {
	b := newBoardOf(t, Day, "2025-03-09T12:00:00Z", DefaultLimits())
	b.feed(delta(t, "large", "2025-03-10T10:00:00Z", came, 1, Ordinary), delta(t, "large", "2025-03-10T10:00:00Z", cell(SignupUnknown), 1, Ordinary))
	b.flush()
	assert.Empty(t, b.rows)
	b.reload()
	b.pass(instant(t, "2025-03-09T23:00:00Z") - 1)
	b.flush()
	assert.Empty(t, b.rows)
	b.pass(instant(t, "2025-03-09T23:00:00Z"))
	b.flush()
	metrics := map[string]bool{}
	for _, r := range b.rows {
		metrics[r.Metric] = true
	}
	assert.Equal(t, map[string]bool{MetricPQLs: true, MetricTimeToPQL: true}, metrics)
}
