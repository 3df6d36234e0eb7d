// Command flame draws a flame graph (SVG, on the standard output) of what `go tool pprof -traces` writes (standard
// input). Each box is a function, as wide as its share of the CPU time, on top of its caller.
package main

import (
	"fmt"
	"os"
)

func main() {
	root, err := read(os.Stdin)
	if err == nil {
		err = draw(os.Stdout, root)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "flame:", err)
		os.Exit(1)
	}
}
