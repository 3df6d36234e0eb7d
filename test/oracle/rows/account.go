package rows

import (
	"math"
	"time"
)

// account counts what an account has done, in each grouping and kind of windows.
func (b *book) account(life []Fact) {
	if len(life) == 0 {
		return
	}
	w := walk{book: b, life: life}
	w.stand()
	w.signUp()
	for name, group := range b.Groupings {
		for _, zone := range b.Zones {
			for _, unit := range b.Units {
				w.grouping, w.group, w.unit, w.zone = name, group, unit, zone
				w.comeAndGo()
				w.join()
				w.say()
			}
		}
	}
}

// walk goes through the facts of one account, in one grouping and one kind of windows.
type walk struct {
	*book
	life     []Fact
	was, is  []bool  // a PQL before each fact, and behind it
	at       []int64 // the time of each fact as a coming, a going, a change or a conversion
	told     int     // the first fact that tells the sign-up, -1: none does
	signedUp int64
	grouping string
	group    func(*Fact) string
	unit     string
	zone     *time.Location
}

// in returns the window of a group that holds a moment.
func (w *walk) in(group string, at int64) *window {
	start, end := bounds(w.unit, w.zone, at)
	p := Place{w.grouping, group, w.unit, w.zone.String(), start}
	in := w.windows[p]
	if in == nil {
		in = &window{end: end, flows: map[string]int{}, said: map[string]int{}}
		w.windows[p] = in
	}
	return in
}

func (w *walk) stand() {
	now, latest := false, int64(math.MinInt64)
	for i := range w.life {
		f := &w.life[i]
		w.was = append(w.was, now)
		switch f.Type {
		case "qualified", "requalified":
			now = true
		case "disqualified", "converted":
			now = false
		}
		w.is = append(w.is, now)
		if w.was[i] || now || f.Type == "converted" {
			latest = max(latest, f.At)
		}
		w.at = append(w.at, latest)
	}
}

func (w *walk) signUp() {
	w.told = -1
	for i := range w.life {
		if at := w.life[i].SignedUpAt; at != 0 {
			if w.told < 0 {
				w.told = i
			}
			w.signedUp = at
		}
	}
}

// comeAndGo counts how the account became a PQL and was one no more.
func (w *walk) comeAndGo() {
	where, before := "", map[int64]bool{} // windows in which it has qualified
	for i := range w.life {
		f := &w.life[i]
		switch now := w.group(f); {
		case !w.was[i] && w.is[i]:
			where = now
			in := w.in(where, w.at[i])
			in.flows["in_"+f.Type]++
			w.comes(in, i)
			if start, _ := bounds(w.unit, w.zone, w.at[i]); !before[start] {
				before[start] = true
				in.qualified = append(in.qualified, qualified{f.HoldOut, w.paidAfter(i)})
			}
		case w.was[i] && !w.is[i]:
			w.in(where, w.at[i]).flows["out_"+why(f)]++
		case w.was[i] && now != where:
			w.in(where, w.at[i]).flows["out_segment_changed"]++
			w.in(now, w.at[i]).flows["in_segment_changed"]++
			where = now
		}
	}
}

func (w *walk) comes(in *window, i int) {
	switch {
	case w.life[i].Type != "qualified":
	case w.told < 0:
		in.unknown++
	default:
		in.toPQL = append(in.toPQL, max(0, w.at[i]-w.signedUp))
	}
}

// paidAfter returns how long after a fact the account converted.
func (w *walk) paidAfter(i int) int64 {
	for j := i; j < len(w.life); j++ {
		if w.life[j].Type == "converted" {
			return w.at[j] - w.at[i]
		}
	}
	return never
}

func why(f *Fact) string {
	if f.Type == "converted" {
		return "converted"
	}
	switch f.Reason {
	case "inactive", "trial_ended", "step_undone", "excluded", "tier_changed", "definition_changed":
		return f.Reason
	}
	return "other"
}

// join counts the account in the window of its sign-up.
func (w *walk) join() {
	if w.told < 0 {
		return
	}
	newest := w.life[len(w.life)-1]
	m := member{
		held: w.life[w.told].HoldOut, first: never, paid: never, tenth: min(10, int(newest.Rate*10+1e-9)), steps: map[string]int64{},
	}
	for i := range w.life {
		f := &w.life[i]
		switch f.Type {
		case "qualified", "requalified":
			if m.first == never {
				m.first = w.at[i] - w.signedUp
			}
		case "converted":
			if m.paid == never {
				m.paid = w.at[i] - w.signedUp
			}
		case "step_done":
			if took, known := m.steps[f.Step]; !known || f.At-w.signedUp < took {
				m.steps[f.Step] = f.At - w.signedUp
			}
		}
	}
	in := w.in(w.group(&w.life[w.told]), w.signedUp)
	in.signedUp = append(in.signedUp, m)
}

// say counts what sales has said.
func (w *walk) say() {
	for i := range w.life {
		switch f := &w.life[i]; f.Type {
		case "sales_accepted", "sales_rejected", "meeting_booked", "sales_won", "sales_lost":
			w.in(w.group(f), f.At).said[f.Type]++
		}
	}
}
