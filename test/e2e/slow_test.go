//go:build slow

package e2e

// The slow tests look for races in the program itself.
var buildFlags = []string{"-race"}

const embeddedRuns = uint64(10)
