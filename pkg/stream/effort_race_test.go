//go:build race

package stream

// What is tried takes ten times as long with the race detector.
const (
	lives     = 1000
	pipelines = 200
	seasons   = 1
	season    = 20 * day
)
