// Package rollup turns what happens to accounts into the rows of the metrics. It is pure: no clock, no Kafka, no store.
//
// Every number is a sum of what accounts contribute, and what an account contributes is a function of its History alone. There are
// two sides, with a topic between them.
//
// The account's: a Measure folds an account's Facts into its History, and gathers by how much that changes what the account
// contributes: to which Cell of which quarter of an hour, in which groups. What it flushes are batches of Deltas.
//
// The window's: deltas are added up, in any order, and rows are made from the sums.
//
// docs/metrics.md defines every number.
package rollup
