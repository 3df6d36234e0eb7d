package stream

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/pqlstream/pqlstream/pkg/state"
)

// mirrorJob is what one confirmed commit brings to the mirror.
type mirrorJob struct {
	to      int64 // changelog position after the commit record
	entries []state.Entry
	ends    []int64 // changelog position after each entry
	owners  []*entity
}

// size is what the entries take, in bytes.
func (j *mirrorJob) size() (n int) {
	for i := range j.entries {
		n += j.entries[i].Size()
	}
	return n
}

// mirrorWriter brings confirmed commits to a task's mirror, in order, behind the task's back: nothing waits for the
// mirror inside a transaction. While the mirror is out of reach the jobs pile up, and the task stops folding.
type mirrorWriter struct {
	mirror   state.Mirror
	position atomic.Int64 // that the mirror is known to have reached
	done     func([]*entity)
	trouble  func(error) // the mirror is out of reach; nil: it is back

	mu    sync.Mutex
	queue []mirrorJob
	bytes int // that the queue's entries take
	wake  chan struct{}
}

func newMirrorWriter(m state.Mirror, position int64, done func([]*entity), trouble func(error)) *mirrorWriter {
	w := &mirrorWriter{mirror: m, done: done, trouble: trouble, wake: make(chan struct{}, 1)}
	w.position.Store(position)
	return w
}

// add hands over a confirmed commit.
func (w *mirrorWriter) add(j mirrorJob) {
	w.mu.Lock()
	w.queue = append(w.queue, j)
	w.bytes += j.size()
	w.mu.Unlock()
	signal(w.wake)
}

// backlog is the number of commits that have not reached the mirror.
func (w *mirrorWriter) backlog() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.queue)
}

// fill is how full the backlog is, from 0 to 1, of the commits and bytes that it may have. Its bytes are copies of the states, apart
// from the cache.
func (w *mirrorWriter) fill(commits, bytes int) float64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return min(max(float64(len(w.queue))/float64(commits), float64(w.bytes)/float64(bytes)), 1)
}

// full says whether the backlog is as large as it may be.
func (w *mirrorWriter) full(commits, bytes int) bool { return w.fill(commits, bytes) >= 1 }

// run works until the context ends or the mirror turns out not to be the owner's any more.
func (w *mirrorWriter) run(ctx context.Context) error {
	for {
		job, n := w.next()
		if n == 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-w.wake:
			}
			continue
		}
		if err := w.apply(ctx, job); err != nil {
			return err
		}
		w.mu.Lock()
		for i := range w.queue[:n] {
			w.bytes -= w.queue[i].size()
		}
		w.queue = slices.Delete(w.queue, 0, n) // which lets go of them
		w.mu.Unlock()
		w.done(job.owners)
	}
}

// next joins the oldest jobs into one of a chunk's size: emissions are small and many.
func (w *mirrorWriter) next() (job mirrorJob, n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	size := 0
	for _, j := range w.queue {
		size += j.size()
		if n > 0 && (len(job.entries)+len(j.entries) > state.MaxChunk || size > state.MaxChunkBytes) {
			break
		}
		if n == 0 {
			job = j
		} else {
			job.entries = append(job.entries[:len(job.entries):len(job.entries)], j.entries...)
			job.ends = append(job.ends[:len(job.ends):len(job.ends)], j.ends...)
			job.owners = append(job.owners[:len(job.owners):len(job.owners)], j.owners...)
			job.to = j.to
		}
		n++
	}
	return job, n
}

func (w *mirrorWriter) apply(ctx context.Context, job mirrorJob) error {
	for at := 0; ; {
		end := at + state.Fitting(job.entries[at:])
		to := job.to
		if end < len(job.entries) {
			to = job.ends[end-1]
		}
		c := state.Chunk{From: w.position.Load(), To: to, Entries: job.entries[at:end]}
		if err := persist(ctx, w.trouble, func() error { return w.mirror.Apply(ctx, c) }); err != nil {
			return err
		}
		w.position.Store(to)
		if at = end; at == len(job.entries) {
			return nil
		}
	}
}

// persist repeats a call to the store for as long as the store is out of reach. It returns what repeating does not
// help against.
func persist(ctx context.Context, trouble func(error), call func() error) error {
	for tries := 0; ; tries++ {
		err := call()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil || !passes(err) {
			if tries > 0 {
				trouble(nil)
			}
			return err
		}
		trouble(err)
		backOff(ctx, tries)
	}
}

// backOff pauses between tries, the longer the more there were.
func backOff(ctx context.Context, tries int) { pause(ctx, retryPause<<min(tries, 4)) }

// passes says whether an error of a call to the store may pass by itself.
func passes(err error) bool {
	for _, lasting := range []error{state.ErrMismatch, state.ErrFenced, state.ErrForeign, errProcessing} {
		if errors.Is(err, lasting) {
			return false
		}
	}
	_, refused := errors.AsType[*Refusal](err)
	return !refused
}

// signal wakes a waiter that looks for work when it wakes: one pending signal is enough.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
