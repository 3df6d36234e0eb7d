//go:build !race && !slow

package account_test

const (
	hostileEvents = 100_000 // of one account, to reach the bound of its state
	histories     = 300     // of accounts, at each pace, to fold in several orders
	lives         = 30      // of accounts, to fold in parts
)
