package stream

import (
	"testing"
)

// Thousands of lives of a partition, with commits that are confirmed, committed or aborted, crashes, takeovers, a cache
// that evicts and a mirror that lags, come to what a plain loop comes to.
func TestCrashModel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(lives) {
		if err := newModel(seed, nothingBroken).run(); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

// The model notices when a rule is left out.
func TestCrashModelNoticesBrokenRules(t *testing.T) {
	t.Parallel()
	for b, name := range map[broken]string{
		emissionWithNewerWatermark: "emission with the newer watermark",
		clockWithoutCheckpoint:     "the clock's time is not in the checkpoint",
		emissionWithoutState:       "emission without the state",
		lazyOutputLeftBehind:       "lazy outputs left behind by their state",
		lazyOutputBesideItsState:   "lazy outputs beside their state",
		unownedOutputWithoutOffset: "unowned output without the offset",
		replayIgnoresApplied:       "applied is ignored",
		unconfirmedTakenForAborted: "unconfirmed taken for aborted",
		uncommittedEvicted:         "uncommitted states evicted",
		takeoverWithoutDelta:       "takeover without the delta",
		tombstoneInEmission:        "tombstone in an emission",
		staleMirrorKept:            "mirror that misses cleaned tombstones",
		gatheredBesideEmissions:    "gathered beside emissions",
		cacheOutlivesTakeover:      "a cache that outlives a takeover",
		listsOfDeltaLeftOut:        "takeover without lists",
		changedListsKept:           "commit without lists",
		formerListsKept:            "lists of another definition",
		commitRecordBelieved:       "a mirror that does not say what it was built under",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(500) {
				if newModel(seed, b).run() != nil {
					return
				}
			}
			t.Fatal("500 runs did not notice it")
		})
	}
}
