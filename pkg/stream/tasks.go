package stream

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/state"
)

// assigned makes a task for each new partition. It returns at once: taking over happens beside the group's loop.
func (r *Runtime) assigned(_ context.Context, group *kgo.Client, added map[string][]int32) {
	r.txn.Lock()
	defer r.txn.Unlock()
	if r.stopped.Load() {
		return
	}
	m, _ := memberOf(group) // of none, no commit is accepted
	for topic, partitions := range added {
		for _, partition := range partitions {
			r.add(topicPartition{topic, partition}, m.id)
		}
	}
	r.publish()
	r.joined.Store(true)
}

// add starts a task for a partition that is assigned to the member. The caller holds the transaction's lock.
func (r *Runtime) add(tp topicPartition, member string) {
	if n := len(r.inputs[tp.topic].leaders); int(tp.partition) >= n {
		r.fail(&Refusal{
			What:   fmt.Sprintf("topic %s has been given more partitions than the %d it had", tp.topic, n),
			Remedy: "the partition count of a keyed topic is part of the state's identity: growing it needs a migration to another prefix",
		})
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	t := &task{
		r:         r,
		input:     r.inputs[tp.topic],
		changelog: r.logs[tp.topic],
		partition: tp.partition,
		cancel:    cancel,
		wake:      make(chan struct{}, 1),
		member:    member,
		log:       r.logs[tp.topic],
		records:   newRecordReader(tp.topic, tp.partition),
		dueAtOnce: state.MaxChunk,
		waiting:   "is being taken over",
	}
	t.identity = identityOf(r.cluster, t.input, t.changelog, r.o.Group)
	if old := r.tasks[tp]; old != nil {
		r.end(old)
	}
	r.tasks[tp] = t
	r.running.Go(func() { t.run(ctx) })
}

// revoked is called when partitions are to go to other members: the tasks end at once. A commit under way is waited for,
// since it lists them.
func (r *Runtime) revoked(_ context.Context, _ *kgo.Client, revoked map[string][]int32) {
	r.drop(pairs(revoked))
}

// lost is called when the process is no member any more.
func (r *Runtime) lost(_ context.Context, _ *kgo.Client, lost map[string][]int32) {
	r.joined.Store(false)
	r.drop(pairs(lost))
}

func pairs(partitions map[string][]int32) (tps []topicPartition) {
	for topic, numbers := range partitions {
		for _, n := range numbers {
			tps = append(tps, topicPartition{topic, n})
		}
	}
	return tps
}

func (r *Runtime) drop(tps []topicPartition) {
	r.txn.Lock()
	defer r.txn.Unlock()
	for _, tp := range tps {
		if t := r.tasks[tp]; t != nil {
			r.end(t)
			delete(r.tasks, tp)
		}
	}
	r.publish()
}

// end makes a task stop, and nothing more be fetched for it.
func (r *Runtime) end(t *task) {
	t.cancel()
	r.fetcher.remove(t)
}

func (r *Runtime) dropAll() {
	r.txn.Lock()
	tps := slices.Collect(maps.Keys(r.tasks))
	r.txn.Unlock()
	r.drop(tps)
}

// owned returns the tasks in a fixed order.
func (r *Runtime) owned() []*task {
	r.txn.Lock()
	defer r.txn.Unlock()
	return r.sorted()
}

func (r *Runtime) sorted() []*task {
	return slices.SortedFunc(maps.Values(r.tasks), func(a, b *task) int { return a.tp().compare(b.tp()) })
}
