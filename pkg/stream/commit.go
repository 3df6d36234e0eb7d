package stream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// checkpointTicks is how often, in a checkpoint interval, the committer looks whose checkpoint is due.
const checkpointTicks = 16

// commitLoop commits: soon when outputs or claims wait, at the latest when a checkpoint is due.
func (r *Runtime) commitLoop(ctx context.Context) {
	tick := time.NewTicker(max(r.o.CheckpointInterval/checkpointTicks, time.Millisecond))
	defer tick.Stop()
	for {
		due := false
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			due = true
		case <-r.hurry:
		}
		if r.stopped.Load() {
			return
		}
		if due && !r.anyDue(time.Now()) {
			continue
		}
		if r.commit(ctx, false) {
			signal(r.hurry)
		}
		// From the end of this commit: the broker holds the next transaction back, for 20 ms and more, until the markers of
		// this one are written.
		pause(ctx, r.o.EmissionInterval)
	}
}

func (r *Runtime) anyDue(now time.Time) bool {
	return slices.ContainsFunc(r.owned(), func(t *task) bool { return t.due(now) })
}

// commit makes one commit of what the tasks offer, if they offer anything: of those whose checkpoint is due, or of all,
// a checkpoint. Where it is not confirmed, every partition in it is taken over again. Claims are a commit of their own: a
// partition that can't be written to, and is claimed again and again, does not draw the others into that. It says
// whether there was more than goes into one commit.
func (r *Runtime) commit(ctx context.Context, all bool) (more bool) {
	r.txn.Lock()
	defer r.txn.Unlock()
	now := time.Now()
	room := &room{bounds: bounds{commitRecords, commitBytes}}
	var parts, claims []*part
	tasks := r.sorted()
	// Who was left out comes first.
	slices.SortStableFunc(tasks, func(a, b *task) int { return cmp.Compare(b.leftOut, a.leftOut) })
	for _, t := range tasks {
		p, err := t.cut(now, all, room)
		if err != nil {
			r.fail(fmt.Errorf("partition %s-%d: %w", t.input.name, t.partition, err))
			settle(append(parts, claims...), now, err) // what was taken out of the others is not committed
			return false
		}
		switch {
		case p == nil:
		case p.claim != nil:
			claims = append(claims, p)
		default:
			parts = append(parts, p)
		}
	}
	r.commitParts(ctx, parts)
	r.commitParts(ctx, claims)
	return room.lacked
}

// room is what a commit may still take in.
type room struct {
	bounds
	used   bool
	lacked bool // some task's checkpoint was left out
}

// take says whether there is room for a checkpoint; there is for the first, however large.
func (r *room) take(records, bytes int) bool {
	if r.used && (records > r.records || bytes > r.bytes) {
		r.lacked = true
		return false
	}
	r.used = true
	r.records, r.bytes = r.records-records, r.bytes-bytes
	return true
}

// commitParts makes one transaction of parts and tells their tasks the outcome. The caller holds the transaction's lock.
func (r *Runtime) commitParts(ctx context.Context, parts []*part) {
	if len(parts) == 0 {
		return
	}
	began := time.Now()
	err := r.transact(ctx, parts)
	var refusal *Refusal
	if errors.As(err, &refusal) || errors.Is(err, kerr.MessageTooLarge) || errors.Is(err, errOtherMember) { // a takeover would not help
		r.fail(err)
	}
	if err != nil {
		r.stats.Unconfirmed.Add(1)
	} else {
		ended := time.Now()
		r.stats.Commits.Observe(ended.Sub(began))
		r.stats.published(parts, ended)
		r.compareClocks(began, ended, parts[0].record.Timestamp)
		if slices.ContainsFunc(parts, func(p *part) bool { return p.full }) {
			r.stats.Checkpoints.Add(1)
		} else {
			r.stats.Emissions.Add(1)
		}
	}
	settle(parts, began, err)
}

// published counts how long the outputs of a confirmed commit took.
func (s *Stats) published(parts []*part, ended time.Time) {
	for _, p := range parts {
		if !p.since.IsZero() {
			s.Published.Observe(ended.Sub(p.since))
		}
	}
}

// settle tells the tasks the outcome of a commit that began at a time. The caller holds the transaction's lock.
func settle(parts []*part, began time.Time, err error) {
	for _, p := range parts {
		p.task.settle(p, err)
		p.tell(began, err)
	}
}

// schedule gives a task that begins to run its place in the checkpoint interval, so that the tasks' checkpoints are spread
// over it: one of all at once would hold outputs up, and the store.
func (t *task) schedule(now time.Time) {
	interval, n := t.r.o.CheckpointInterval, max(t.r.count.Load(), 1)
	t.readAt = now
	t.checkpointAt = now.Add(interval * time.Duration(int64(t.partition)%n+1) / time.Duration(n))
}

// due says whether the task's checkpoint is: at once where it has no room for more or has just caught up; later while
// there is a long backlog, since nobody waits for what is that old, and a state that changes again is written once.
func (t *task) due(now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.phase == running && t.dueNow(now)
}

// dueNow is due for a caller that holds the lock.
func (t *task) dueNow(now time.Time) bool {
	at := t.checkpointAt
	if t.behind {
		at = at.Add((backlogFactor - 1) * t.r.o.CheckpointInterval)
	}
	return t.urgent || !now.Before(at)
}

// cut is the task's part of a commit, nil when it has none.
func (t *task) cut(now time.Time, all bool, room *room) (*part, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.failure != nil:
		return nil, nil
	case t.phase == claiming && t.claim != nil:
		return &part{task: t, cut: &cut{checkpoint: t.claim.checkpoint}, claim: t.claim}, nil
	case t.phase != running, !t.crowded && !t.table.whole():
		return nil, nil
	}
	t.table.clock = now.UnixMilli()
	full := all || t.dueNow(now)
	if full && !room.take(len(t.table.dirty)+len(t.table.outputs), t.table.written+t.table.output) {
		t.leftOut++
		return nil, nil // it stays due
	}
	t.leftOut = 0
	if full {
		t.urgent = false
		if interval := t.r.o.CheckpointInterval; !now.Before(t.checkpointAt) {
			t.checkpointAt = t.checkpointAt.Add((now.Sub(t.checkpointAt)/interval + 1) * interval)
		}
	}
	emission, progress := t.table.wants()
	if full && !progress || !full && (!emission || t.behind) {
		return nil, nil
	}
	c, err := t.table.cut(full)
	signal(t.wake) // there is room again
	if err != nil {
		t.failure = fmt.Errorf("%w: %w", errProcessing, err)
		return nil, t.failure
	}
	return &part{task: t, cut: c, table: t.table}, nil
}

// settle takes in the outcome of a commit. The caller holds the transaction's lock.
func (t *task) settle(p *part, err error) {
	position := int64(-1)
	if err != nil {
		err = fmt.Errorf("%w: %w", errNotConfirmed, err)
	} else {
		position = p.record.Offset
		t.committed = position + 1
	}
	if p.claim != nil {
		t.mu.Lock()
		if t.claim == p.claim {
			t.claim = nil // its next commit is not a claim again
		}
		t.mu.Unlock()
		p.claim.result <- claimResult{position, err}
		return
	}
	if err != nil {
		t.fail(err)
		return
	}
	t.mu.Lock()
	mirror, current := t.mirror, t.table == p.table
	t.mu.Unlock()
	if mirror != nil && current {
		mirror.add(p.mirrorJob())
	}
}

// mirrorJob is what a confirmed commit brings to the mirror.
func (p *part) mirrorJob() mirrorJob {
	j := mirrorJob{to: p.record.Offset + 1, entries: p.entries, owners: p.owners, ends: make([]int64, len(p.states))}
	for i := range p.states {
		j.ends[i] = p.states[i].Offset + 1
	}
	return j
}

// mirrored notes that a commit's states have reached the mirror.
func (t *task) mirrored(owners []*entity) {
	t.mu.Lock()
	if t.table != nil {
		t.table.mirrored(owners)
	}
	t.mu.Unlock()
	signal(t.wake)
}

func (t *task) mirrorBacklog() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mirror == nil {
		return 0
	}
	return t.mirror.backlog()
}
