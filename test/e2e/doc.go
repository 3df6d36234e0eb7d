// Package e2e holds the tests of the whole pipeline against the oracle: in one process on embedded servers, and as
// processes that are killed, frozen and stopped on a real broker and a real Redis.
package e2e
