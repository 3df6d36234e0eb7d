// Command performance fills docs/performance.md with what `make bench` and its like have measured: what stands between
// `<!-- measured: NAME -->` and `<!-- end -->` is replaced. What was not measured stays as it was.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"
)

func main() {
	folder := flag.String("results", "build/bench", "folder with the results")
	page := flag.String("page", "docs/performance.md", "page to fill")
	flag.Parse()
	if err := run(*folder, *page); err != nil {
		fmt.Fprintln(os.Stderr, "performance:", err)
		os.Exit(1)
	}
}

func run(folder, page string) error {
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	filled, missing, err := fill(string(text), folder)
	if err != nil {
		return fmt.Errorf("filling %s: %w", page, err)
	}
	if len(missing) > 0 {
		fmt.Println("not measured, left as it was:", strings.Join(missing, ", "))
	}
	return os.WriteFile(page, []byte(filled), 0o644)
}

var block = regexp.MustCompile(`(?s)(<!-- measured: ([a-z-]+) -->\n).*?(<!-- end -->)`)

// fill returns the page with what the folder has, and the names of the blocks that it has nothing for.
func fill(page, folder string) (filled string, missing []string, err error) {
	filled = block.ReplaceAllStringFunc(page, func(old string) string {
		m := block.FindStringSubmatch(old)
		write, ok := blocks[m[2]]
		if !ok {
			err = errors.Join(err, fmt.Errorf("there is no block %q", m[2]))
			return old
		}
		var s strings.Builder
		problem := write(&s, folder)
		if errors.Is(problem, fs.ErrNotExist) {
			missing = append(missing, m[2])
			return old
		}
		if problem != nil {
			err = errors.Join(err, problem)
			return old
		}
		return m[1] + s.String() + m[3]
	})
	return filled, missing, err
}
