package stream

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Members join, leave and crash at random while records flow; what comes out is exact.
func TestRebalanceChurn(t *testing.T) {
	t.Parallel()
	for _, partitions := range []int32{1, 8} {
		for i, protocol := range protocols {
			t.Run(fmt.Sprintf("%d partitions/%s", partitions, protocol.name), func(t *testing.T) {
				t.Parallel()
				churn(t, partitions, protocol.opts, rand.New(rand.NewPCG(uint64(partitions), uint64(i))))
			})
		}
	}
}

const (
	churnRecords = 20_000
	churnRounds  = 20
	churnMembers = 4
)

func churn(t *testing.T, partitions int32, protocol []kgo.Opt, random *rand.Rand) {
	// Who is stopped while it joins is a member until its session ends, and the others wait for it.
	w := newWorld(t, partitions, kfake.GroupMinSessionTimeout(time.Second), kfake.BrokerConfigs(map[string]string{"group.consumer.session.timeout.ms": "5000"}))
	w.protocol = protocol
	o := w.options()
	o.GroupOptions = append(slices.Clone(protocol), kgo.SessionTimeout(5*time.Second), kgo.RebalanceTimeout(5*time.Second))
	o.TransactionTimeout, o.ShutdownTimeout = 2*time.Second, 4*time.Second
	members := [churnMembers]*process{w.start(o)}
	alive := 1
	for round := range churnRounds {
		w.sendMany(random, round, churnRecords/churnRounds)
		switch i := random.IntN(churnMembers); {
		case members[i] == nil:
			members[i] = w.start(o)
			alive++
		case alive == 1: // somebody has to stay, and make progress
			w.awaitCommitted()
		case random.IntN(3) == 0:
			members[i].crash()
			members[i] = nil
			alive--
		default:
			require.NoError(t, members[i].stop())
			members[i] = nil
			alive--
		}
	}
	w.awaitCommitted()
	for _, m := range members {
		if m != nil {
			require.NoError(t, m.stop())
		}
	}
	w.takenOver()
	w.requireExact()
}

// sendMany appends records of every kind, spread over the partitions.
func (w *world) sendMany(random *rand.Rand, round, n int) {
	w.t.Helper()
	batches := make([][]string, w.partitions)
	for i := range n {
		p := random.IntN(len(batches))
		at := 1000 + round*n + i - random.IntN(50)
		command := ""
		switch random.IntN(50) {
		case 0, 1, 2:
			command = ",timer"
		case 3:
			command = ",bad"
		case 4:
			command = ",unowned"
		case 5:
			command = ",stub"
		case 6:
			command = ",erase"
		}
		batches[p] = append(batches[p], fmt.Sprintf("k%d=%d%s", random.IntN(200), at, command))
	}
	for p, records := range batches {
		w.send(int32(p), records...)
	}
}
