package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
	"unsafe"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// part is one partition's part of a commit.
type part struct {
	task *task
	*cut
	table  *table       // that the cut was taken from
	claim  *claim       // set when the commit is to make the task the owner
	states []kgo.Record // of the cut's entries; their offsets are known after the commit
	record kgo.Record   // the commit record
}

// producer holds the transactional client. It is apart from the group's client, so that replacing it keeps the
// membership. The transactional id is random for each start: no two processes can fence each other with it.
type producer struct {
	build    func() (*kgo.Client, error)
	txnID    string
	kgo      *kgo.Client
	implicit bool // an offset commit joins the transaction by itself
}

// client returns the present client, a new one after drop.
func (p *producer) client(ctx context.Context) (*kgo.Client, error) {
	if p.kgo != nil {
		return p.kgo, nil
	}
	client, err := p.build()
	if err != nil {
		return nil, fmt.Errorf("building the producer: %w", err)
	}
	// The client looks at the same answer when it begins a transaction: both take the same way.
	if p.implicit, err = transactionsV2(ctx, client); err != nil {
		client.Close()
		return nil, err
	}
	p.kgo = client
	return client, nil
}

// drop gives up a client whose transaction did not end as known. The next one has the same transactional id, so that
// its first request aborts what the old one left open; that request is made at once, since takeovers wait for it.
func (p *producer) drop(timeout time.Duration) {
	if p.kgo == nil {
		return
	}
	p.kgo.Close()
	p.kgo = nil
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	if client, err := p.client(ctx); err == nil {
		_, _, _ = client.ProducerID(ctx)
	}
}

// connect prepares the producer while the process joins its group: the first claim need not wait for it.
func (r *Runtime) connect(ctx context.Context) {
	r.txn.Lock()
	defer r.txn.Unlock()
	if r.stopped.Load() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, r.o.TransactionTimeout)
	defer cancel()
	if client, err := r.producer.client(ctx); err == nil {
		_, _, _ = client.ProducerID(ctx) // a commit that needs it says what is wrong
	}
}

func (r *Runtime) dropProducer() {
	timeout := r.o.TransactionTimeout / 2
	if r.stopped.Load() {
		timeout = r.o.ShutdownTimeout / 8
	}
	r.producer.drop(timeout)
}

// transact commits parts in one transaction. A nil error means confirmed: every record was acknowledged under one
// producer id and epoch, at least one before the offset commit, the offset commit was accepted for every partition,
// and the transaction's end was acknowledged. Anything else says nothing about the outcome. The caller holds the
// transaction's lock and has checked that each partition is owned and restored.
//
// Protocol: rules 2, 3 and 4 of DESIGN.md.
func (r *Runtime) transact(ctx context.Context, parts []*part) error {
	ctx, cancel := context.WithTimeout(ctx, r.o.TransactionTimeout)
	defer cancel()
	client, err := r.producer.client(ctx)
	if err != nil {
		return err
	}
	if err := client.BeginTransaction(); err != nil {
		r.dropProducer()
		return fmt.Errorf("beginning a transaction: %w", err)
	}
	err = r.fill(ctx, client, parts)
	if err == nil {
		if err = client.EndTransaction(ctx, kgo.TryCommit); err == nil {
			return nil
		}
		err = fmt.Errorf("ending the transaction: %w", err)
	}
	// Not aborted with the same client: it may answer well without having asked the broker, and before transactions v2
	// a request of it that is still on its way would join the next transaction.
	r.dropProducer()
	return err
}

// fill does everything of a transaction between its beginning and its end.
func (r *Runtime) fill(ctx context.Context, client *kgo.Client, parts []*part) error {
	epoch, err := produce(ctx, client, parts)
	if err != nil {
		return err
	}
	commits := make([]offsetCommit, len(parts))
	for i, p := range parts {
		if p.record.Offset < p.task.committed {
			return &Refusal{
				What:   fmt.Sprintf("the changelog %s-%d has lost records: its end went back from %d to %d", p.record.Topic, p.record.Partition, p.task.committed, p.record.Offset),
				Remedy: "an unclean leader election is the usual cause; restore the topic from a backup, or start anew under another prefix",
			}
		}
		commits[i] = offsetCommit{p.task.input, p.task.partition, p.checkpoint.next, offsetMetadata(p.record.Offset)}
	}
	// Only now, so that the transaction exists: one whose first request is the offset commit is refused now and then.
	id, e, err := client.ProducerID(ctx)
	if err != nil {
		return fmt.Errorf("asking for the producer id: %w", err)
	}
	if epoch != (producerEpoch{id, e}) {
		return fmt.Errorf("the producer was initialised anew in the middle of the transaction: epoch %d/%d became %d/%d", epoch.id, epoch.epoch, id, e)
	}
	if !r.producer.implicit {
		if err := addOffsetsToTxn(ctx, client, r.producer.txnID, r.o.Group, epoch); err != nil {
			return err
		}
	}
	return r.commitOffsets(ctx, client, epoch, parts, commits)
}

// commitOffsets commits under the present membership. A generation that has just become an older one is replaced by
// the newer: that is safe while the caller holds the transaction's lock, since no partition is given to another member
// before our callback for it has returned, and that takes the lock. It is so only for the member that the partitions
// were assigned to: a client that rejoins as another may skip the callback.
func (r *Runtime) commitOffsets(ctx context.Context, client *kgo.Client, epoch producerEpoch, parts []*part, commits []offsetCommit) error {
	for tries := 0; ; tries++ {
		m, err := memberOf(r.group)
		if err != nil {
			return err
		}
		for _, p := range parts {
			if p.task.member != m.id {
				return errOtherMember
			}
		}
		err = txnOffsetCommit(ctx, client, r.producer.txnID, r.o.Group, m, r.instance, epoch, commits)
		if errors.Is(err, kerr.ConcurrentTransactions) && ctx.Err() == nil { // the last one's end is still on its way
			pause(ctx, retryPause/5)
			continue
		}
		stale := errors.Is(err, kerr.IllegalGeneration) || errors.Is(err, kerr.StaleMemberEpoch)
		if !stale || tries == 50 {
			return err
		}
		if now, _ := memberOf(r.group); now == m {
			pause(ctx, retryPause/5)
		}
	}
}

// produce writes outputs, then states, then the commit records, and waits until all are acknowledged. It returns the
// producer's epoch under which every one of them was.
func produce(ctx context.Context, client *kgo.Client, parts []*part) (producerEpoch, error) {
	var acks acknowledgements
	for _, p := range parts {
		for i := range p.outputs {
			client.Produce(ctx, p.outputs[i].record(), acks.promise)
		}
	}
	for _, p := range parts {
		p.states = make([]kgo.Record, len(p.entries)) // at once: there may be many
		for i := range p.entries {
			p.states[i] = p.task.changelogRecord(bytesOf(p.entries[i].Key), p.entries[i].Value)
			client.Produce(ctx, &p.states[i], acks.promise)
		}
	}
	for _, p := range parts {
		value, err := p.task.commitRecord(p.checkpoint).encode()
		if err != nil {
			return producerEpoch{}, fmt.Errorf("encoding a commit record: %w", err)
		}
		p.record = p.task.changelogRecord(slices.Clone(commitKey), value)
		client.Produce(ctx, &p.record, acks.promise)
	}
	if err := client.Flush(ctx); err != nil {
		return producerEpoch{}, fmt.Errorf("flushing: %w", err)
	}
	return acks.result()
}

// bytesOf returns the bytes of a string, which must not be changed.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

func (o *Output) record() *kgo.Record {
	r := &kgo.Record{Topic: o.Topic, Partition: o.Partition, Key: o.Key, Value: o.Value, Headers: o.Headers}
	if o.Timestamp != 0 {
		r.Timestamp = time.UnixMilli(o.Timestamp)
	}
	return r
}

// acknowledgements collects the promises of one transaction.
type acknowledgements struct {
	mu    sync.Mutex
	err   error
	epoch producerEpoch
	n     int
}

func (a *acknowledgements) promise(r *kgo.Record, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch epoch := (producerEpoch{r.ProducerID, r.ProducerEpoch}); {
	case a.err != nil:
	case err != nil:
		a.err = fmt.Errorf("producing to %s-%d: %w", r.Topic, r.Partition, err)
	case a.n == 0:
		a.epoch = epoch
	case epoch != a.epoch:
		a.err = fmt.Errorf("the producer was initialised anew in the middle of the transaction: epoch %d/%d became %d/%d", a.epoch.id, a.epoch.epoch, epoch.id, epoch.epoch)
	}
	a.n++
}

func (a *acknowledgements) result() (producerEpoch, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err == nil && a.n == 0 {
		return a.epoch, errors.New("nothing was produced")
	}
	return a.epoch, a.err
}
