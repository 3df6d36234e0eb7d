//go:build !race

package stream

// How much is tried.
const (
	lives     = 5000 // of a partition, in the crash model
	pipelines = 1500
	seasons   = 2 // of virtual time
	season    = 45 * day
)
