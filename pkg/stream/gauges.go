package stream

import "cmp"

// Gauges is where a Runtime stands.
type Gauges struct {
	Partitions    int     // owned: assigned and taken over
	Waiting       int     // assigned, and not owned yet or held up
	Lag           int64   // records known to lie in the owned partitions that have not been folded
	MirrorBacklog int     // commits that have not reached the store
	MirrorFill    float64 // how full the backlog is, 0 to 1, of the partition where it is fullest; a full one folds nothing
	Cached        int     // states in memory
	ClockWrong    bool    // this process's clock and the broker's differ by a minute or more
	Times         []Time
	Tasks         []Standing // of all assigned partitions, in no order
}

// Standing is where one assigned partition stands.
type Standing struct {
	Time            // without a watermark before the partition is owned
	Lag      int64  // records known to lie in the partition that have not been folded; 0 before it is owned
	WaitsFor string // in words; empty: nothing
}

// Time is how far time has come in one owned partition.
type Time struct {
	Topic     string
	Partition int32
	Watermark int64 // no earlier event is expected, ms since the Unix epoch; 0: nothing is known yet
	// Of a later stage: the partition that holds time back, the one of which the least was told. Its topic is empty in a first stage,
	// and before anything was told.
	HeldByTopic     string
	HeldByPartition int32
}

// Gauges returns where the runtime stands now.
func (r *Runtime) Gauges() (g Gauges) {
	g.ClockWrong = r.clockWrong.Load()
	for _, t := range *r.assignment.Load() {
		t.gauge(&g)
	}
	return g
}

func (t *task) gauge(g *Gauges) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := Standing{Time: Time{Topic: t.input.name, Partition: t.partition}, WaitsFor: t.waits()}
	if t.phase != running {
		now.WaitsFor = cmp.Or(now.WaitsFor, "its state to be taken over")
	}
	if now.WaitsFor != "" {
		g.Waiting++
	}
	if t.phase != running {
		g.Tasks = append(g.Tasks, now)
		return
	}
	now.Time, now.Lag = t.time(), max(t.end-t.table.now.next, 0)
	g.Partitions++
	g.Lag += now.Lag
	g.Cached += len(t.table.entities)
	g.Times = append(g.Times, now.Time)
	g.Tasks = append(g.Tasks, now)
	if t.mirror != nil {
		g.MirrorBacklog += t.mirror.backlog()
		g.MirrorFill = max(g.MirrorFill, t.mirror.fill(unmirroredCommits, t.r.share().unmirrored))
	}
}

// time is how far time has come. The caller holds the lock.
func (t *task) time() Time {
	now := Time{Topic: t.input.name, Partition: t.partition, Watermark: t.table.watermark(t.table.now.eventTime)}
	if s := t.table.now.sources; s != nil {
		_, held := s.least()
		now.HeldByTopic, now.HeldByPartition = held.topic, held.partition
	}
	return now
}
