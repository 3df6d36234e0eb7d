// Package sql computes every metric once more, from the facts on pql.lifecycle alone: in SQL that says what docs/metrics.md says, and
// shares nothing with package rollup. base makes tables of what metrics have in common, metrics has a view for each of them.
// Analysts can use both; docs/metrics.md tells how.
//
// The tests let accounts live for weeks, or a year, and require every row of package rollup to be the same number by number.
//
// It is a module of its own, so that nobody else has to download DuckDB, and needs a C compiler.
package sql

import "embed"

// Files are base and metrics. What is in base has to be run in the order of the names, and before what is in metrics.
//
//go:embed base/*.sql metrics/*.sql
var Files embed.FS
