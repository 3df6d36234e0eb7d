//go:build race && !slow

package account_test

// What is looked at takes ten times as long with the race detector.
const (
	hostileEvents = 8_000
	histories     = 90
	lives         = 12
)
