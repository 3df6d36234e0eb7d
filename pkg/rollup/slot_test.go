package rollup

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// measureOf returns a Measure with windows that are named by unit and zone.
func measureOf(t *testing.T, windows ...string) *Measure {
	var s Settings
	for _, text := range windows {
		unit, zone, _ := strings.Cut(text, " ")
		w, err := NewWindows(zone, Unit(unit), time.Monday)
		require.NoError(t, err)
		s.Windows = append(s.Windows, w)
	}
	return newMeasure(t, s)
}

// What belongs to the same windows, of all units and zones, is told together.
func TestTheSlotIsTheEarliestOfTheSameWindows(t *testing.T) {
	at := func(text string) int64 {
		moment, err := time.Parse(time.RFC3339, text)
		require.NoError(t, err)
		return moment.UnixMilli()
	}
	berlin := measureOf(t, "day Europe/Berlin", "week Europe/Berlin", "month Europe/Berlin")
	for _, moment := range []string{"2025-03-29T23:00:00Z", "2025-03-30T12:34:56Z", "2025-03-30T21:59:59Z"} {
		assert.Equal(t, at("2025-03-29T23:00:00Z"), berlin.slot(at(moment)), moment)
	}
	assert.Equal(t, at("2025-03-30T22:00:00Z"), berlin.slot(at("2025-03-30T22:00:00Z")), "the day has had 23 hours")
	assert.Equal(t, at("2025-03-30T12:00:00Z"), measureOf(t, "hour UTC", "day UTC").slot(at("2025-03-30T12:34:56Z")))
	both := measureOf(t, "month UTC", "day Asia/Kathmandu", "hour Europe/Berlin")
	assert.Equal(t, at("2025-03-30T18:15:00Z"), both.slot(at("2025-03-30T18:20:00Z")), "the day begins within the hour")
	assert.Equal(t, at("2025-03-30T18:00:00Z"), both.slot(at("2025-03-30T18:14:00Z")))
	assert.Equal(t, at("1971-06-01T10:00:00Z"), measureOf(t, "hour Africa/Monrovia").slot(at("1971-06-01T10:14:00Z")), "its clocks were 44.5 minutes behind")
	assert.Equal(t, at("2025-03-30T12:30:00Z"), measureOf(t).slot(at("2025-03-30T12:34:56Z")))
}

func TestNoEarlierSlotIsInTheSameWindows(t *testing.T) {
	m, random := measureOf(t, "hour Asia/Kathmandu", "day Australia/Lord_Howe", "week America/New_York", "month UTC"), rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		moment := random.Int64N(100 * 365 * dayMillis)
		slot := m.slot(moment)
		require.LessOrEqual(t, slot, moment)
		require.Zero(t, slot%SlotMillis)
		require.True(t, sameWindows(m, slot, moment))
		require.False(t, sameWindows(m, slot-SlotMillis, moment))
	}
}

func sameWindows(m *Measure, a, b int64) bool {
	for _, w := range m.windows {
		first, _ := w.At(a)
		if second, _ := w.At(b); first != second {
			return false
		}
	}
	return true
}
