//go:build !slow

package e2e

var buildFlags []string

const embeddedRuns = uint64(1)
