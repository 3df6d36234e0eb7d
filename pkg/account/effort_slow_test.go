//go:build slow

package account_test

// With the race detector, under which slow tests run, these take some eight minutes.
const (
	hostileEvents = 400_000
	histories     = 800
	lives         = 60
)
