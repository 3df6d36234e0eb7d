package stream

// Gauges is where a Runtime stands.
type Gauges struct {
	Partitions    int   // owned: assigned and taken over
	Waiting       int   // assigned, and not owned yet or held up
	Lag           int64 // records known to lie in the owned partitions that have not been folded
	MirrorBacklog int   // commits that have not reached the store
	Cached        int   // states in memory
}

// Gauges returns where the runtime stands now.
func (r *Runtime) Gauges() (g Gauges) {
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
	if t.mirror != nil {
		g.MirrorBacklog += t.mirror.backlog()
	}
}
