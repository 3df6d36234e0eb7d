package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// node is a function in one chain of callers.
type node struct {
	name   string
	spent  time.Duration // here and in what it called
	called map[string]*node
}

func (n *node) child(name string) *node {
	if n.called == nil {
		n.called = map[string]*node{}
	}
	c := n.called[name]
	if c == nil {
		c = &node{name: name}
		n.called[name] = c
	}
	return c
}

// add counts a sample, whose functions come innermost first.
func (n *node) add(stack []string, spent time.Duration) {
	n.spent += spent
	for i := len(stack) - 1; i >= 0; i-- {
		n = n.child(stack[i])
		n.spent += spent
	}
}

// read adds up samples. Each begins after a line of dashes with its time and its innermost function; its callers follow,
// a line each.
func read(in io.Reader) (*node, error) {
	root := &node{name: "all"}
	var stack []string
	var spent time.Duration
	inSamples := false
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		if strings.HasPrefix(line, "-----") {
			root.add(stack, spent)
			stack, spent, inSamples = nil, 0, true
			continue
		}
		if !inSamples { // what the profile is of
			continue
		}
		fields := strings.Fields(strings.TrimSuffix(line, " (inline)"))
		if len(fields) == 0 || len(stack) == 0 && strings.HasSuffix(fields[0], ":") { // a label
			continue
		}
		if len(stack) == 0 {
			var err error
			if spent, err = time.ParseDuration(fields[0]); err != nil {
				return nil, fmt.Errorf("a sample without its time: %q", line)
			}
			fields = fields[1:]
		}
		stack = append(stack, strings.Join(fields, " "))
	}
	root.add(stack, spent)
	if root.spent == 0 {
		return nil, errors.New("no samples: give it what `go tool pprof -traces` writes")
	}
	return root, lines.Err()
}
