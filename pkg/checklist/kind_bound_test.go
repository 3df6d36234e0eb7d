package checklist

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

// farOff is a day that takes the most bytes.
const farOff = 1 << 28

// TestWorkingSetsReachTheirBounds folds until a set is as large as its kind says it can be.
func TestWorkingSetsReachTheirBounds(t *testing.T) {
	t.Run("sum", func(t *testing.T) {
		step, w := stepOf(t, "{id: a, kind: sum, event: x, of: quantity, at_least: 100, within: 7d}"), Work{}
		for day := range int64(100) {
			_, done := feed(step, &w, 0, &usage.Event{OccurredAt: (farOff + day) * dayMillis, Quantity: 1}, Moment{})
			require.False(t, done)
			require.LessOrEqual(t, workBound+len(w), step.rule.traits().bound)
		}
		assert.Equal(t, step.rule.traits().bound, workBound+len(w))
	})
	t.Run("live distinct", func(t *testing.T) {
		step, w := stepOf(t, "{id: a, kind: distinct, event: x, of: user_id, at_least: 3, within: 7d, live: true}"), Work{}
		for day := range int64(40) {
			for user := range 9 {
				see(step, &w, user, farOff+day)
				require.LessOrEqual(t, workBound+len(w), step.rule.traits().bound)
			}
		}
		assert.Equal(t, step.rule.traits().bound, workBound+len(w))
	})
	// As many values as there can be, which are not all seen as often as there are bits.
	t.Run("distinct", func(t *testing.T) {
		step, w := stepOf(t, "{id: a, kind: distinct, event: x, of: user_id, at_least: 4, within: 7d}"), Work{}
		for week := range int64(4) {
			for user := range 3 {
				require.False(t, see(step, &w, 3*int(week)+user, farOff+7*week))
			}
		}
		values := step.rule.(*windowedDistinctRule).values()
		assert.Equal(t, 6, values)
		assert.Equal(t, 5+values*(idBound+2), len(w))
		assert.LessOrEqual(t, workBound+len(w), step.rule.traits().bound)
	})
}

// see folds an event of a user whose id takes the most bytes.
func see(step *Step, w *Work, user int, day int64) (done bool) {
	_, done = feed(step, w, 0, &usage.Event{UserID: fmt.Sprint(strings.Repeat("x", 70), user), OccurredAt: day * dayMillis}, Moment{})
	return done
}

func TestTheNewestValuesStay(t *testing.T) {
	step, w := stepOf(t, "{id: a, kind: distinct, event: x, of: user_id, at_least: 1, within: 7d, live: true}"), Work{}
	for _, ev := range byUsers("d0", "a1", "b1", "c1", "a0", "e0") { // d leaves, of e nothing comes
		feed(step, &w, 0, &ev, Moment{})
	}
	assert.Equal(t, "\xc2\xb8\x02\x01a\x01\x03\x01b\x01\x01\x01c\x01\x01", string(w))
	for _, ev := range byUsers("f1") { // of several the last leaves
		changed, _ := feed(step, &w, 0, &ev, Moment{})
		assert.False(t, changed)
	}
	for _, ev := range byUsers("A1") {
		feed(step, &w, 0, &ev, Moment{})
	}
	assert.Equal(t, "\xc2\xb8\x02\x01A\x01\x01\x01a\x01\x03\x01b\x01\x01", string(w))
}

func TestStatesThatCouldBecomeTooLargeAreRefused(t *testing.T) {
	for text, fits := range map[string]bool{
		"{id: a, kind: distinct, event: x, of: user_id, at_least: 2000, within: 7d, live: true}": true,
		"{id: a, kind: distinct, event: x, of: user_id, at_least: 5000, within: 7d, live: true}": false,
		"{id: a, kind: distinct, event: x, of: user_id, at_least: 4000, within: 7d}":             true,
		"{id: a, kind: distinct, event: x, of: user_id, at_least: 9000, within: 7d}":             false,
	} {
		_, err := compiled("version: 1\nname: one\ntiers: [{name: all, threshold: 1}]\nsteps:\n  - " + text)
		if fits {
			assert.NoError(t, err, text)
		} else {
			assert.ErrorContains(t, err, "an account's state could take", text)
		}
	}
}
