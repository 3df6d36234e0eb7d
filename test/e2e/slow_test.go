//go:build slow

package e2e

// The slow tests look for races in the program itself.
var buildFlags = []string{"-race"}

const embeddedRuns = uint64(10)

// lifeSeeds is how many streams of whole lives are compared by the rules alone.
const lifeSeeds = uint64(40)
