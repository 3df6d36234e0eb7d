// Package stream is the exactly-once runtime: tasks that fold one input partition each, transactions, changelogs and
// takeovers. DESIGN.md, "The runtime's protocol", says what it guarantees and why. It knows nothing of accounts.
package stream
