//go:build !slow

package e2e

var buildFlags []string

const embeddedRuns = uint64(1)

// lifeSeeds is how many streams of whole lives are compared by the rules alone.
const lifeSeeds = uint64(4)
