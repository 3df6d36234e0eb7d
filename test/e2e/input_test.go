package e2e

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"time"

	"github.com/pqlstream/pqlstream/pkg/kafka"
	"github.com/pqlstream/pqlstream/pkg/simulate"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

const checklistFile = "../testdata/checklist.yaml"

// input is one record that a test puts onto a source topic.
type input struct {
	event  *usage.Event // nil: raw is all there is
	raw    []byte
	reason string // the dead letter's that it has to become; empty: it counts
	stray  bool   // lies in a partition that is not its account's
}

// inputs yields n records about accounts: the random stream, with events that are late by up to three days, events that
// are repeated long after they came, and records that can't be used. Those come in stretches: each makes its commit a
// checkpoint, and without any there are emissions in between, which recovery has more to do with.
func inputs(seed uint64, n, accounts int) iter.Seq[input] {
	return func(yield func(input) bool) {
		rng := rand.New(rand.NewPCG(seed, 7))
		var old [512]*usage.Event
		i := 0
		for ev := range simulate.Random(seed, n, accounts) {
			in := input{event: ev}
			switch what := rng.IntN(60); {
			case what < 2:
				late := *ev
				late.OccurredAt -= rng.Int64N(3 * 24 * time.Hour.Milliseconds())
				in.event = &late
			case what == 2:
				if again := old[rng.IntN(len(old))]; again != nil {
					in.event = again
				}
			case what < 9 && i*64/n%8 == 3:
				in = unusable(rng, ev)
			}
			if in.reason == "" {
				old[i%len(old)] = in.event
			}
			i++
			if !yield(in) {
				return
			}
		}
	}
}

// unusable spoils an event.
func unusable(rng *rand.Rand, ev *usage.Event) input {
	bad := *ev
	switch rng.IntN(6) {
	case 0:
		return input{raw: []byte("no event in any format"), reason: usage.CodeUndecodable}
	case 1:
		bad.AccountID = ""
		return input{event: &bad, reason: usage.CodeAccountIDMissing}
	case 2:
		bad.OccurredAt = time.Date(2199, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
		return input{event: &bad, reason: usage.CodeTimestampInFuture}
	case 3:
		bad.OccurredAt = -1
		return input{event: &bad, reason: usage.CodeTimestampOutOfRange}
	case 4:
		bad.UserID = fmt.Sprintf("%0300d", 1)
		return input{event: &bad, reason: usage.TooLong(usage.FieldUserID)}
	}
	return input{event: &bad, reason: "wrong_partition", stray: true}
}

// partition is where a topic that is keyed by account has the record.
func (in *input) partition(rng *rand.Rand, partitions int32) int32 {
	if in.event == nil {
		return rng.Int32N(partitions)
	}
	p := kafka.Partition([]byte(in.event.AccountID), partitions)
	if in.stray {
		p = (p + 1) % partitions
	}
	return p
}
