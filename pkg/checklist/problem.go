package checklist

import (
	"errors"
	"fmt"
)

// Problem is one thing wrong with a definition. Parse and Compile report all of them at once, joined.
type Problem struct {
	Path    string // such as tiers[1].threshold; empty when it concerns the whole file
	Message string
}

func (p *Problem) Error() string {
	if p.Path == "" {
		return p.Message
	}
	return p.Path + ": " + p.Message
}

// problems collects what is wrong, in the order of the definition.
type problems []error

func (p *problems) add(path, format string, args ...any) {
	*p = append(*p, &Problem{Path: path, Message: fmt.Sprintf(format, args...)})
}

func (p problems) err() error { return errors.Join(p...) }
