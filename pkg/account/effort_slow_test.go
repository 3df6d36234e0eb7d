//go:build slow

package account_test

const (
	hostileEvents = 1_000_000
	histories     = 2_000
	lives         = 100
)
