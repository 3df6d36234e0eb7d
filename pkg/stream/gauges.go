package stream

// Gauges is where a Runtime stands.
type Gauges struct {
	Partitions    int   // owned: assigned and taken over
	Waiting       int   // assigned, and not owned yet or held up
	Lag           int64 // records known to lie in the owned partitions that have not been folded
	MirrorBacklog int   // commits that have not reached the store
	Cached        int   // states in memory
	ClockWrong    bool  // this process's clock and the broker's differ by a minute or more
	Times         []Time
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
	if t.waits() != "" || t.phase != running {
		g.Waiting++
	}
	if t.phase != running {
		return
	}
	g.Partitions++
	g.Lag += max(t.end-t.table.now.next, 0)
	g.Cached += len(t.table.entities)
	g.Times = append(g.Times, t.time())
	if t.mirror != nil {
		g.MirrorBacklog += t.mirror.backlog()
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
