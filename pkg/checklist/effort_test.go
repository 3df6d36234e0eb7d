//go:build !race

package checklist

// effort divides how much random tests look at.
const effort = 1
