package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/pqlstream/pqlstream/pkg/rollup"
)

// progress tells on a terminal how far long work is, and elsewhere nothing.
type progress struct {
	w     io.Writer // nil: nobody looks on
	what  string
	shown time.Time
	now   func() time.Time
}

// barWidth is that of a bar, in characters.
const barWidth = 30

// betweenShows keeps terminals from being busier than the work.
const betweenShows = 100 * time.Millisecond

func progressOn(w io.Writer, what string) *progress {
	if !isTerminal(w) {
		w = nil
	}
	return &progress{w: w, what: what, now: time.Now}
}

// at shows that so many are done; of is 0 where nobody knows of how many.
func (p *progress) at(done, of int) {
	if p.w == nil {
		return
	}
	if now := p.now(); done >= of && of > 0 || now.Sub(p.shown) >= betweenShows {
		p.shown = now
		fmt.Fprint(p.w, "\r\x1b[K", p.line(done, of))
	}
}

func (p *progress) line(done, of int) string {
	if of <= 0 {
		return fmt.Sprintf("%s: %d", p.what, done)
	}
	filled := min(barWidth*done/of, barWidth)
	return fmt.Sprintf("%s [%s%s] %d of %d", p.what, strings.Repeat("#", filled), strings.Repeat(".", barWidth-filled), done, of)
}

// end takes away what is shown.
func (p *progress) end() {
	if p.w != nil && !p.shown.IsZero() {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

// counting shows how often a question about rows is asked.
func (p *progress) counting(wants func(*rollup.Row) bool) func(*rollup.Row) bool {
	n := 0
	return func(r *rollup.Row) bool {
		n++
		p.at(n, 0)
		return wants(r)
	}
}
