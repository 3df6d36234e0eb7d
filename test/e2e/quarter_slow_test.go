//go:build slow

package e2e

import "testing"

func TestALargeQuarterIsTheSameLiveAndAsABacklog(t *testing.T) {
	runQuarter(t, 20_000, 500_000, lifeFacts)
}

func TestALargeQuarterReadDirectlyIsTheSameLiveAndAsABacklog(t *testing.T) {
	runDirectQuarter(t, 20_000, 500_000, day)
}
