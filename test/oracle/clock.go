package oracle

// Mark is what ingest says, in a partition that activation reads, about how far it has come in one that it reads itself.
type Mark struct {
	Topic     string
	Partition int32
	Watermark int64          // ms
	Resting   bool           // it has come to its end, and is not waited for
	AsOf      int64          // when the process began that says so, ms
	Sources   map[string]int // partitions of each topic that it reads
}

// clock is what was said in one partition.
type clock struct {
	asOf    int64
	sources map[string]int
	said    map[string]map[int32]int64
	resting map[string]map[int32]bool
	time    int64
}

// Tell takes in a mark. Where there are any, they say what time it is.
func (o *Oracle) Tell(partition int32, m Mark) {
	c := o.clocks[partition]
	if c == nil {
		c = &clock{said: map[string]map[int32]int64{}, resting: map[string]map[int32]bool{}}
		o.clocks[partition] = c
	}
	if m.AsOf > c.asOf {
		c.asOf, c.sources = m.AsOf, m.Sources
	}
	if c.said[m.Topic] == nil {
		c.said[m.Topic] = map[int32]int64{}
	}
	if c.resting[m.Topic] == nil {
		c.resting[m.Topic] = map[int32]bool{}
	}
	c.resting[m.Topic][m.Partition] = m.Resting
	c.said[m.Topic][m.Partition] = max(c.said[m.Topic][m.Partition], m.Watermark)
	least, most, all := int64(1<<62), int64(0), true
	for topic, partitions := range c.sources {
		for p := range int32(partitions) {
			most = max(most, c.said[topic][p])
			if !c.resting[topic][p] {
				least, all = min(least, c.said[topic][p]), false // 0 where nothing was said
			}
		}
	}
	if all {
		least = most
	}
	c.time = max(c.time, least)
	o.releaseAll(partition)
}

// Observe takes in that an event of a time has come in a partition, whatever becomes of it.
func (o *Oracle) Observe(partition int32, at int64) {
	o.newest[partition] = max(o.newest[partition], at)
}

// watermark is the time before which an event of a partition is late.
func (o *Oracle) watermark(partition int32) int64 {
	if c := o.clocks[partition]; c != nil {
		return c.time
	}
	if o.throughIngest {
		return 0
	}
	return o.newest[partition] - disorder
}

// ThroughIngest says that no event time tells what time it is, only marks do.
func (o *Oracle) ThroughIngest() { o.throughIngest = true }
