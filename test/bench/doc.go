// Package bench measures the program from end to end, on a real broker and a real Redis of its own: `make bench`. It
// prints a table and asserts that the PQLs are right, never how fast they came.
//
// Environment: EVENTS (2,000,000) and ACCOUNTS (100,000) of the backlog, RATE (20,000 events a second), WARMUP and
// MEASURE (10s, 30s) and LIVE_ACCOUNTS (20,000) of the live load, RUNS (3) of each, SEED (1). OUTPUTS=all has the
// program write pql.lifecycle and pql.current too, which the other implementations of the job don't have.
package bench
