//go:build race

package checklist

// With the race detector everything takes ten times as long, and pure code has no races to find.
const effort = 8
