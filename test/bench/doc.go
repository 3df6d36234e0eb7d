// Package bench measures the program from end to end, on a real broker and Redis servers of its own. It asserts that the
// PQLs are right, never how fast they came. `make help` lists the targets; docs/performance.md is made from what they
// measure.
//
// The job: events of accounts with six steps and three tiers (config/checklists/bench.yaml), in Avro of a schema of their
// own (job/usage-event.avsc), on 8 partitions, compressed with snappy. The peers, two cores each; the broker may use all there are:
//
//   - pqlstream: the program as `make build` makes it, exactly once, without pql.lifecycle and pql.current, which no other peer
//     writes; pqlstream-all, when catching up, with them, as is the default.
//   - go-redis (folder goredis): the job by hand on the same client library, goavro (which decodes into maps) and Redis, at
//     least once.
//   - raw (folder raw): the client library reads, and events are decoded by hand. Nothing can be faster with it.
//   - ks-eos and ks-eos-tuned: Kafka Streams, exactly once, plain and with ParallelGC, more memory, a larger cache and
//     a commit a second. They are not in this repository: PEERS names the folder that has them, with streams/pom.xml and
//     usage-event.avsc. They need Maven. The memory of ks-eos-tuned follows from -Xms2g and -Xmn1g.
//
// The time of a peer that catches up runs from the moment at which the backlog, a transaction, is ended, the peer being
// READY before, until its group has committed the whole input and its store has what became of it. Bytes written are those
// of the logs of its own topics after it has stopped; the broker does not compact meanwhile. "other load" is what
// everything else on the machine used: figures taken where it is high are worth little.
//
// make bench begins with half a minute that needs no servers: the ns and allocations that an event takes with each kind of
// step, for the step alone (pkg/checklist) and for its account (pkg/account). make bench-kinds is that part by itself. It
// prints its results and leaves none for docs/performance.md.
//
// Environment, with defaults. Of all: RUNS (3) rounds, SEED (1), QUIET (10s), for how long a quiet machine is waited for,
// OUT, the folder that results go to as JSON, OUTPUTS=all, which has the program write pql.lifecycle and pql.current in
// every benchmark.
//
//   - make bench, catching up: EVENTS (2,000,000), ACCOUNTS (100,000), PEERS.
//   - make bench, live: RATE (20,000 events a second), WARMUP and MEASURE (10s, 30s), LIVE_ACCOUNTS (one for each event
//     a second), LIVE_RUNS (2).
//   - make bench-rates: RATES (1000,10000,100000 events a second), and those of live.
//   - make bench-accounts: ACCOUNT_COUNTS (100000,1000000,5000000), EVENTS (4,000,000) for each. The cache has room for
//     200,000.
//   - make bench-processes: PROCESSES (1,2,4), EVENTS (4,000,000), ACCOUNTS (100,000).
//   - make bench-metrics: EVENTS (2,000,000), ACCOUNTS (100,000), and those of live. No clock says what time it is, or rows would be stated up to
//     today.
//   - make bench-rebuild: REBUILD_ACCOUNTS (2,000,000).
//   - make bench-start: STARTS (10), START_ACCOUNTS (100,000).
//   - make bench-page: PAGE_ACCOUNTS (100000), PAGE_LOADS (5) of each view. It needs Chromium.
//   - make bench-profile: EVENTS (8,000,000), ACCOUNTS (400,000), PROFILE_SECONDS (8), the first of which are profiled.
//
// TestBudget is the part of it that does not depend on the machine: what an event takes in allocations and leaves in
// bytes, compared with budget.json.
package bench
