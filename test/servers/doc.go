// Package servers starts real servers for tests: Kafka (one KRaft node), Redis, PostgreSQL and Kafka Connect, as processes of the
// test's own, on free ports, in folders that vanish with the test.
//
// A server counts as started once its listener belongs to the process started here and it answers: a stranger on the
// same port is an error, never a stand-in. Every process ends with the test that started it, and with the test's
// process should that be killed.
//
// What a machine lacks makes the test a skip that names the remedy; where CI is set it makes the test a failure.
package servers

import (
	"os"
	"testing"
)

// lacking skips the test because of what the machine does not have; in CI it fails the test.
func lacking(tb testing.TB, what string) {
	tb.Helper()
	if os.Getenv("CI") == "" {
		tb.Skip(what)
	} else {
		tb.Fatal(what)
	}
}
