package stream

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The names of these tests refer to the list of executions that broke earlier drafts of the protocol.

// The broker accepts an offset commit with an empty member id beside live members; the runtime never makes one.
func TestAttack02CommitWithoutMembership(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.send(0, "a=1", "a=2")
	p := w.start(w.options())
	w.awaitCommitted()

	ctx := context.Background()
	r, err := New(ctx, p.o)
	require.NoError(t, err)
	defer r.plain.Close()
	r.group = w.client // it is in no group
	stranger := &task{r: r, input: r.inputs["in"], changelog: r.logs["in"]}
	err = r.transact(ctx, []*part{{task: stranger, cut: &cut{checkpoint: checkpoint{next: 1}}}})
	require.ErrorIs(t, err, errNoMember)
	r.producer.kgo.Close()

	offset, _ := w.committed(0)
	require.EqualValues(t, 2, offset)
	require.NoError(t, p.stop())
	w.requireExact()
}

// The end of a transaction is processed, its answer lost, and what the client asks then fails: an error that says
// nothing about the outcome. The abort that follows is answered well.
func TestAttack03EndOfTransactionCommittedButReportedAsFailed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	o := w.options()
	o.TransactionTimeout = 10 * patienceOfTests // waiting for the broker to time it out does not help
	p := w.start(o)
	p.awaitOwned(1)
	ends := 0
	again := w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, TxnID: p.producer.txnID, Err: kerr.InvalidTxnState, When: func(kmsg.Request) bool {
		ends++
		return ends == 2
	}})
	lost := p.wire.trap(trap{key: kmsg.EndTxn, do: cutAfter})
	w.send(0, "a=1", "a=2", "a=3", "b=4")
	lost.await(t)
	w.awaitCommitted()
	w.send(0, "a=5", "a=6", "a=7", "b=8", "b=9")
	w.awaitCommitted()
	require.Equal(t, 1, again.Hits())
	require.Positive(t, p.stats.Unconfirmed.Load())
	require.NoError(t, p.stop())
	w.takenOver()
	w.requireExact()
}

// A state that no record can hold becomes a dead letter; the records after it are folded, and nothing is repeated.
func TestAttack04StateTooLargeToProduce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	pad := "=4,pad," + strings.Repeat("x", 400_000)
	w.send(0, "a=1", "a=2", "new=3,big", "a"+pad, "a"+pad)
	w.send(0, "a"+pad, "a=7", "a=8", "new=9")
	p := w.start(w.options())
	w.awaitCommitted()
	require.Zero(t, p.stats.Unconfirmed.Load())
	require.Zero(t, p.stats.Takeovers.Load())
	require.NoError(t, p.stop())
	require.Equal(t, []string{"a=state_too_large", "new=state_too_large"}, w.read("dead"))
	w.requireExact()
}

// Output that can never be produced is as bad: it must not be tried for ever.
func TestAttack04OutputTooLargeToProduce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.send(0, "a=1", "x=1,bad", "a=2")
	o := w.options()
	o.DeadLetter = func(r *kgo.Record, _ *Reject) (Output, error) {
		return Output{Topic: "dead", Key: bytes.Clone(r.Key), Value: make([]byte, 2_000_000)}, nil
	}
	p := w.start(o)
	require.ErrorIs(t, p.ended(), kerr.MessageTooLarge)
	require.Empty(t, w.read("dead"))
}

// An emission carries the watermark of the checkpoint. With a newer one, what is folded again after a crash would see
// a time that the first fold had not, and timers would fire before the records that had postponed them.
func TestAttack05EmissionWithNewerWatermark(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	o := w.options()
	o.CheckpointInterval = time.Hour
	p := w.start(o)
	p.awaitOwned(1)
	w.send(0, "a=1000,timer", "c=1001", "x=1,unowned") // the last makes it a checkpoint
	w.awaitCommitted()
	// Not in a checkpoint: a's timer moves from 1100 to 1150, and c sees 1051. In an emission: b at 1120.
	w.send(0, "a=1050,timer", "c=1051", "c=1040", "b=1120", "b=1120", "b=1120")
	w.await("the emission", func() bool { return len(w.read("out")) == 3 })
	offset, _ := w.committed(0)
	require.EqualValues(t, 3, offset, "an emission leaves the offset where it is")
	p.crash()

	p = w.start(w.options())
	w.send(0, "a=1130", "a=1140", "c=1145", "c=1155", "a=1156")
	w.awaitCommitted()
	require.NoError(t, p.stop())
	w.requireExact()
}

// The metadata of an offset commit has a size that depends on nothing.
func TestAttack10MetadataStaysSmall(t *testing.T) {
	t.Parallel()
	require.LessOrEqual(t, len(offsetMetadata(math.MaxInt64)), 64)
	position, err := parseOffsetMetadata(offsetMetadata(math.MaxInt64))
	require.NoError(t, err)
	require.EqualValues(t, math.MaxInt64, position)
	for _, partitions := range []int32{1, 16} {
		w := newWorld(t, partitions)
		for p := range partitions {
			w.send(p, "a=1", "a=2", "a=3")
		}
		p := w.start(w.options())
		w.awaitCommitted()
		require.NoError(t, p.stop())
		for p := range partitions {
			_, metadata := w.committed(p)
			require.LessOrEqual(t, len(metadata), 64)
		}
	}
}

// A transaction all of whose records fail ends with nil and nothing is in it: that is no commit.
func TestAttack28TransactionWhoseRecordsAllFailed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	p := w.start(w.options())
	p.awaitOwned(1)
	failing := w.cluster.Fault(
		kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "out", Err: kerr.InvalidRecord},
		kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "log", Err: kerr.InvalidRecord},
	)
	w.send(0, "a=1", "a=2", "a=3")
	w.await("the fault", func() bool { return failing.Hits() == 2 && p.stats.Unconfirmed.Load() > 0 })
	w.awaitCommitted()
	require.NoError(t, p.stop())
	w.takenOver()
	w.requireExact()
}

// Nor is one that was never filled.
func TestAttack28TransactionOfNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	r, err := New(context.Background(), func() Options { o := w.options(); o.Client = w.build; return o }())
	require.NoError(t, err)
	defer r.plain.Close()
	require.ErrorContains(t, r.transact(context.Background(), nil), "nothing was produced")
	r.producer.kgo.Close()
}

// Half of a transaction is acknowledged; then the broker forgets the producer, and the client silently initialises a
// new one, which aborts that half, and sends the rest under it.
func TestAttack29ProducerInitialisedAnewInTheMiddle(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	_, topics, err := describeTopics(context.Background(), w.client, "log", "out")
	require.NoError(t, err)
	p := w.start(w.options())
	p.awaitOwned(1)
	inits := w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.InitProducerID}, TxnID: p.producer.txnID, Observe: true, Count: -1})
	has := func(r *kmsg.ProduceRequest, name string) bool {
		return slices.ContainsFunc(r.Topics, func(x kmsg.ProduceRequestTopic) bool { return x.Topic == name || x.TopicID == topics[name].id })
	}
	forgets := p.wire.trap(trap{
		key: kmsg.Produce,
		when: func(r kmsg.Request) bool {
			return has(r.(*kmsg.ProduceRequest), "out") && has(r.(*kmsg.ProduceRequest), "log")
		},
		do: alterAnswer,
		alter: alterProduced(func(x *kmsg.ProduceResponseTopic, p *kmsg.ProduceResponseTopicPartition) {
			if x.Topic == "log" || x.TopicID == topics["log"].id {
				p.ErrorCode, p.BaseOffset, p.LogStartOffset = kerr.UnknownProducerID.Code, -1, math.MaxInt64
			}
		}),
	})
	for at := 1; !forgets.wasHit(); at++ {
		w.send(0, fmt.Sprintf("a=%d", at), fmt.Sprintf("a=%d", at), fmt.Sprintf("a=%d", at), fmt.Sprintf("b=%d", at))
		w.awaitCommitted()
	}
	require.Positive(t, inits.Hits())
	require.Positive(t, p.stats.Unconfirmed.Load())
	require.NoError(t, p.stop())
	w.takenOver()
	w.requireExact()
}

// Two processes of one stage never share a transactional id, so neither fences the other.
func TestAttack33SharedTransactionalID(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2)
	a, b := w.start(w.options()), w.start(w.options())
	a.awaitOwned(1)
	b.awaitOwned(1)
	require.NotEqual(t, a.producer.txnID, b.producer.txnID)
	for i := range 5 {
		for p := range int32(2) {
			w.send(p, fmt.Sprintf("a=%d", i), fmt.Sprintf("b=%d", i))
		}
		w.awaitCommitted()
	}
	require.Zero(t, a.stats.Unconfirmed.Load()+b.stats.Unconfirmed.Load())
	require.NoError(t, a.stop())
	require.NoError(t, b.stop())
	w.takenOver()
	w.requireExact()
}
