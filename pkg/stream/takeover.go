package stream

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/state"
)

// takeOver makes the task the owner of everything that was ever committed for its partition, and starts fetching.
//
// Protocol: rules 5 and 6 of DESIGN.md.
func (t *task) takeOver(ctx context.Context) error {
	from, previous, err := t.findCheckpoint(ctx)
	if err != nil {
		return err
	}
	if err := t.checkInput(ctx, from); err != nil {
		return err
	}
	token, err := t.becomeOwner(ctx, from)
	if err != nil {
		return err
	}
	if err := t.checkNoForeignWriter(ctx, previous+1, token); err != nil {
		return err
	}
	table := newTable(t.proc, t.input.name, t.partition, from)
	table.deadLetter, table.maxValue, table.told = t.r.o.DeadLetter, t.r.o.MaxRecord, t.r.o.Told
	if !table.told { // the stage before has allowed for disorder already
		table.disorder = t.r.o.Disorder.Milliseconds()
	}
	if t.r.o.Store == nil || previous < 0 { // it begins with nothing
		table.evicted = &keySet{}
	}
	var writer *mirrorWriter
	if t.r.o.Store != nil {
		m, err := t.bringForward(ctx, token)
		if err != nil {
			return err
		}
		writer = newMirrorWriter(m, token+1, t.mirrored, t.trouble)
	}
	return t.start(table, writer)
}

// findCheckpoint returns where to fold from, and the position of the commit record that says so; -1 at a first start.
func (t *task) findCheckpoint(ctx context.Context) (checkpoint, int64, error) {
	ctx, cancel := context.WithTimeout(ctx, t.r.o.patience())
	defer cancel()
	m, err := memberOf(t.r.group)
	if err != nil {
		return checkpoint{}, -1, err
	}
	committed, err := t.stableOffset(ctx, m, t.partition)
	if err != nil {
		return checkpoint{}, -1, err
	}
	if committed.offset < 0 {
		from, err := t.firstStart(ctx)
		if err == nil {
			err = t.beginAlike(ctx, m)
		}
		return from, -1, err
	}
	position, err := parseOffsetMetadata(committed.metadata)
	if err != nil {
		return checkpoint{}, -1, &Refusal{
			What:   fmt.Sprintf("group %s has offset %d committed without a position in %s: %v", t.r.o.Group, committed.offset, t.changelog.name, err),
			Remedy: "offsets can't be set from outside, since the state would not agree with them; to start anew, use another prefix and group",
		}
	}
	record, err := t.readCommitRecord(ctx, t.partition, position)
	if err != nil {
		return checkpoint{}, -1, err
	}
	if record.Offset != committed.offset {
		return checkpoint{}, -1, &Refusal{
			What:   fmt.Sprintf("group %s has offset %d committed, but the state in %s-%d belongs to offset %d", t.r.o.Group, committed.offset, t.changelog.name, t.partition, record.Offset),
			Remedy: "somebody reset the offset or wrote to the changelog; set the offset back, or start anew under another prefix",
		}
	}
	if err := t.checkDefinition(record.Definition); err != nil {
		return checkpoint{}, -1, err
	}
	return checkpoint{record.Offset, record.EventTime, record.Sources}, position, nil
}

// checkDefinition tells that the last owner had another definition, or refuses to go on under another. What the mirror was built under is the
// mirror's to say.
func (t *task) checkDefinition(was string) error {
	switch is := t.r.o.Definition; {
	case is == was:
	case t.r.o.Pinned != "":
		return t.pinned(t.partition, was)
	default:
		t.r.o.Logger.Info("the definition has changed since the last commit", "stage", t.r.o.Stage, "partition", t.partition, "was", was, "is", is)
	}
	return nil
}

// pinned refuses to go on under another definition than that of a partition.
func (t *task) pinned(partition int32, was string) error {
	return &Refusal{
		What: fmt.Sprintf("the state in %s-%d was made under settings that can't change: their hash was %s, and is %s",
			t.changelog.name, partition, was, t.r.o.Definition),
		Remedy: t.r.o.Pinned,
	}
}

// beginAlike holds a partition that begins under a pinned definition against partition 0, which has to have begun before: so of processes that
// start at once with different definitions those are refused that are not of one mind with the owner of that.
func (t *task) beginAlike(ctx context.Context, m member) error {
	if t.r.o.Pinned == "" || t.partition == 0 {
		return nil
	}
	t.wait("waits for partition 0 to be taken over, under whose settings all begin")
	for {
		first, err := t.stableOffset(ctx, m, 0)
		switch {
		case err != nil:
			return err
		case first.offset >= 0:
			return t.likeFirst(ctx, first)
		}
		if pause(ctx, retryPause); ctx.Err() != nil {
			return fmt.Errorf("waiting for partition 0 of %s, under whose settings all begin: %w", t.input.name, ctx.Err())
		}
	}
}

func (t *task) likeFirst(ctx context.Context, first stableOffset) error {
	position, err := parseOffsetMetadata(first.metadata)
	if err != nil {
		return fmt.Errorf("reading where the state of partition 0 lies: %w", err)
	}
	record, err := t.readCommitRecord(ctx, 0, position)
	if err == nil && record.Definition != t.r.o.Definition {
		err = t.pinned(0, record.Definition)
	}
	return err
}

// stableOffset asks for a partition's committed offset. A client goes on sending this request to a coordinator that is gone, so
// that a new one asks again, which has to look it up.
func (t *task) stableOffset(ctx context.Context, m member, partition int32) (stableOffset, error) {
	o, err := fetchStableOffset(ctx, t.r.plain, t.r.o.Group, m, t.input, partition)
	if _, answered := errors.AsType[*kerr.Error](err); err == nil || answered || ctx.Err() != nil {
		return o, err
	}
	client, err := t.r.o.Client()
	if err != nil {
		return o, fmt.Errorf("building a Kafka client: %w", err)
	}
	defer client.Close()
	return fetchStableOffset(ctx, client, t.r.o.Group, m, t.input, partition)
}

// firstStart is where a partition begins that has neither an offset nor state. State without an offset is refused.
func (t *task) firstStart(ctx context.Context) (checkpoint, error) {
	log := t.reader(0)
	log.maxWait = 0 // an empty log is no reason to hold up the other partitions' requests
	for {
		records, err := log.fetch(ctx)
		if err != nil {
			return checkpoint{}, err
		}
		if len(records) > 0 {
			return checkpoint{}, &Refusal{
				What:   fmt.Sprintf("%s-%d holds state, but group %s has no offset committed for %s-%d%s", t.changelog.name, t.partition, t.r.o.Group, t.input.name, t.partition, writerOf(records)),
				Remedy: "the group was deleted, its offsets have expired, or another group owns this prefix; use the owning group, restore its offsets, or start anew under another prefix",
			}
		}
		if log.position >= log.stable {
			break
		}
	}
	where := int64(atStart)
	if t.r.o.StartAtEnd {
		where = atEnd
	}
	offset, err := listOffset(ctx, t.r.plain, t.input.name, t.partition, where)
	return checkpoint{next: offset}, err
}

// writerOf names the group whose commit record is among the records.
func writerOf(records []*kgo.Record) string {
	for _, r := range slices.Backward(records) {
		if c, err := parseCommitRecord(r.Value); err == nil && isCommitKey(r.Key) {
			return "; they were written by group " + c.Group
		}
	}
	return ""
}

// readCommitRecord reads the commit record at a position of a partition and checks that it is of this deployment.
func (t *task) readCommitRecord(ctx context.Context, partition int32, position int64) (commitRecord, error) {
	log := t.reader(position)
	log.partition = partition
	var found *kgo.Record
	err := log.readTo(ctx, position+1, t.r.o.patience(), func(r *kgo.Record) error {
		found = r
		return nil
	})
	if err != nil && !errors.Is(err, errStalled) {
		return commitRecord{}, err
	}
	if err != nil || found == nil || !isCommitKey(found.Key) {
		return commitRecord{}, &Refusal{
			What:   fmt.Sprintf("%s-%d has no commit record at offset %d, where group %s left its state", t.changelog.name, partition, position, t.r.o.Group),
			Remedy: "the changelog was truncated, deleted or made anew; restore it, or start anew under another prefix and group",
		}
	}
	c, err := parseCommitRecord(found.Value)
	if err != nil {
		return c, &Refusal{What: fmt.Sprintf("%s-%d at offset %d: %v", t.changelog.name, partition, position, err), Remedy: "the changelog was written by another program; use another prefix"}
	}
	if c.identity != t.identity {
		return c, &Refusal{
			What:   fmt.Sprintf("the state in %s-%d belongs to another deployment: %s", t.changelog.name, partition, t.identity.differences(c.identity)),
			Remedy: "an input that was deleted and created again, or given more partitions, needs a migration; otherwise use another prefix",
		}
	}
	return c, nil
}

// checkInput refuses a checkpoint that the input does not reach, or has expired beyond.
func (t *task) checkInput(ctx context.Context, from checkpoint) error {
	start, err := listOffset(ctx, t.r.plain, t.input.name, t.partition, atStart)
	if err != nil {
		return err
	}
	end, err := listOffset(ctx, t.r.plain, t.input.name, t.partition, atEnd)
	if err != nil {
		return err
	}
	where := fmt.Sprintf("the checkpoint of %s-%d is offset %d", t.input.name, t.partition, from.next)
	switch {
	case from.next < start:
		return &Refusal{
			What:   fmt.Sprintf("%s, but the log starts at %d: %d records have expired unread", where, start, start-from.next),
			Remedy: "raise the topic's retention; to go on without them, start anew under another prefix and group",
		}
	case from.next > end:
		return &Refusal{
			What:   fmt.Sprintf("%s, but the log ends at %d", where, end),
			Remedy: "the input was truncated or made anew; restore it, or start anew under another prefix and group",
		}
	}
	return nil
}

// becomeOwner makes a commit that holds nothing but a commit record. Its position is the owner's token: of two owners
// the later has the higher one.
func (t *task) becomeOwner(ctx context.Context, from checkpoint) (token int64, err error) {
	c := &claim{checkpoint: from, result: make(chan claimResult, 1)}
	t.mu.Lock()
	t.claim, t.phase = c, claiming
	t.waiting = "waits for a commit that makes this process the owner"
	t.mu.Unlock()
	signal(t.r.hurry)
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case result := <-c.result:
		return result.position, result.err
	}
}

// checkNoForeignWriter refuses a changelog that holds committed records between the commit record that the offset
// names and our own: somebody writes to it without owning the offset.
func (t *task) checkNoForeignWriter(ctx context.Context, from, token int64) error {
	return t.reader(from).readTo(ctx, token, t.r.o.patience(), func(r *kgo.Record) error {
		return &Refusal{
			What:   fmt.Sprintf("%s-%d holds a committed record at offset %d that no offset commit of group %s covers%s", t.changelog.name, t.partition, r.Offset, t.r.o.Group, writerOf([]*kgo.Record{r})),
			Remedy: "another deployment writes to this prefix; stop it, and give each a prefix of its own",
		}
	})
}

// bringForward makes the mirror agree with the changelog up to and including the owner's commit record.
func (t *task) bringForward(ctx context.Context, token int64) (state.Mirror, error) {
	t.wait("brings the mirror up to the changelog")
	m := t.r.o.Store.Open(state.Partition{Stage: t.r.o.Stage, Topic: t.input.name, Number: t.partition, Identity: t.identity.digest()}, token)
	var status state.Status
	err := persist(ctx, t.trouble, func() (err error) { status, err = m.Claim(ctx); return err })
	if errors.Is(err, state.ErrForeign) {
		return nil, &Refusal{What: fmt.Sprintf("the store holds the state of another deployment under the keys of %s-%d", t.input.name, t.partition), Remedy: "give each deployment a Redis database or prefix of its own, or delete those keys"}
	}
	if err != nil {
		return nil, fmt.Errorf("claiming the mirror: %w", err)
	}
	// A mirror older than tombstones are kept may miss one: an erased entity would rise again.
	stale := status.Position <= token && status.Age > t.r.o.TombstoneRetention/2
	_, timed := t.proc.(TimerProcessor)
	_, indexed := t.proc.(Indexer)
	outdated := (timed || indexed) && status.Definition != t.r.o.Definition // the timers and lists that it holds may be others now
	if !status.Exists || status.Position > token+1 || stale || outdated {
		t.wait("rebuilds the mirror from the changelog")
		t.r.stats.Rebuilds.Add(1)
		err = persist(ctx, t.trouble, func() error { return t.rebuild(ctx, m, token) })
	} else {
		err = t.applyDelta(ctx, m, status.Position, token)
	}
	if err != nil {
		return nil, fmt.Errorf("bringing the mirror forward: %w", err)
	}
	return m, nil
}

// applyDelta brings a mirror from where it stands to the owner's commit record.
func (t *task) applyDelta(ctx context.Context, m state.Mirror, from, token int64) error {
	at := from
	return t.eachSlice(ctx, from, token, func(entries []state.Entry, end int64) error {
		c := state.Chunk{From: at, To: end, Entries: entries}
		at = end
		return persist(ctx, t.trouble, func() error { return m.Apply(ctx, c) })
	})
}

// eachSlice reads the committed states from a changelog position to the owner's commit record, and passes them on in
// slices of what a chunk may hold, each with the position after it. The last slice may be empty; it ends after the
// commit record.
func (t *task) eachSlice(ctx context.Context, from, token int64, each func(entries []state.Entry, end int64) error) error {
	var entries []state.Entry
	size, end := 0, from
	err := t.reader(from).readTo(ctx, token, t.r.o.patience(), func(r *kgo.Record) error {
		if isCommitKey(r.Key) {
			return nil
		}
		e, err := t.entry(r)
		if err == nil && len(entries) > 0 && (len(entries) == state.MaxChunk || size+e.Size() > state.MaxChunkBytes) {
			err = each(entries, end)
			entries, size = nil, 0
		}
		entries, size, end = append(entries, e), size+e.Size(), r.Offset+1
		return err
	})
	if err != nil {
		return err
	}
	return each(entries, token+1)
}

// rebuild fills an empty mirror from the whole changelog.
func (t *task) rebuild(ctx context.Context, m state.Mirror, token int64) error {
	return m.Rebuild(ctx, token+1, t.r.o.Definition, t.allEntries(ctx, token))
}

// allEntries yields the committed states of the changelog in slices, in its order: a later one of a key replaces an
// earlier.
func (t *task) allEntries(ctx context.Context, token int64) iter.Seq2[[]state.Entry, error] {
	return func(yield func([]state.Entry, error) bool) {
		err := t.eachSlice(ctx, 0, token, func(entries []state.Entry, _ int64) error {
			if len(entries) > 0 && !yield(entries, nil) {
				return errStopped
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStopped) {
			yield(nil, err)
		}
	}
}

var errStopped = errors.New("stopped")

// entry is a changelog record as the mirror wants it, with the timer that its state asks for and the lists that it is on.
func (t *task) entry(r *kgo.Record) (state.Entry, error) {
	e := state.Entry{Key: string(r.Key), Value: r.Value}
	_, timed := t.proc.(TimerProcessor)
	indexer, indexed := t.proc.(Indexer)
	if !timed && !indexed || r.Value == nil {
		return e, nil
	}
	_, encoded, err := Unwrap(r.Value)
	if err != nil {
		return e, fmt.Errorf("%w: %s-%d@%d: %w", errProcessing, r.Topic, r.Partition, r.Offset, err)
	}
	s, err := t.proc.LoadState(string(r.Key), encoded)
	if err != nil {
		return e, fmt.Errorf("%w: %s-%d@%d: %w", errProcessing, r.Topic, r.Partition, r.Offset, err)
	}
	if timer, ok := s.(Timed); ok && timed {
		e.Timer = timer.NextTimer()
	}
	if indexed {
		e.Relisted, e.Index = true, indexer.AppendIndex(nil, s)
	}
	return e, nil
}

// reader reads the task's changelog partition from a position.
func (t *task) reader(position int64) *logReader {
	return &logReader{client: t.r.plain, topic: &t.log, partition: t.partition, position: position, maxWait: retryPause}
}

// start makes the task run: its next batch begins at the checkpoint.
func (t *task) start(table *table, writer *mirrorWriter) error {
	t.mu.Lock()
	t.table, t.mirror, t.phase, t.waiting = table, writer, running, ""
	now := time.Now()
	t.table.clock = now.UnixMilli()
	t.schedule(now)
	t.mu.Unlock()
	return t.r.fetch(t, table.now.next)
}
