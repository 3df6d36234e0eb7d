package app

import (
	"cmp"
	"os"
	"slices"
	"strings"

	"github.com/pqlstream/pqlstream/pkg/api"
	"github.com/pqlstream/pqlstream/pkg/stream"
)

// Status implements api.Status.
func (a *App) Status() api.Report {
	waiting := a.ready.Waiting()
	r := api.Report{
		Version: a.version, Instance: a.instance(), Ready: len(waiting) == 0, Waiting: waiting, StartedAt: a.started, Stages: []api.Stage{},
	}
	for i, s := range a.running() {
		g := s.Gauges()
		r.Stages = append(r.Stages, api.Stage{
			Stage: string(a.c.Stages[i]), Partitions: g.Partitions, Waiting: g.Waiting, Lag: g.Lag, MirrorBacklog: g.MirrorBacklog, Cached: g.Cached,
			Tasks: tasksOf(g.Tasks),
		})
	}
	return r
}

func tasksOf(all []stream.Standing) []api.Task {
	tasks := make([]api.Task, len(all))
	for i := range all {
		s := &all[i]
		tasks[i] = api.Task{Topic: s.Topic, Partition: s.Partition, WaitingFor: s.WaitsFor, Lag: s.Lag}
		if s.Watermark > 0 {
			tasks[i].Watermark = &s.Watermark
		}
		if s.HeldByTopic != "" {
			tasks[i].HeldBy = &api.TopicPartition{Topic: s.HeldByTopic, Partition: s.HeldByPartition}
		}
	}
	slices.SortFunc(tasks, func(a, b api.Task) int {
		return cmp.Or(strings.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return tasks
}

// instance is what tells the process from others: the name that the settings give it, or else the machine's.
func (a *App) instance() string {
	host, _ := os.Hostname()
	return cmp.Or(a.c.Kafka.InstanceID, host, "unknown")
}
