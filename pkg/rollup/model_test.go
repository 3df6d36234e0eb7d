package rollup

import (
	"fmt"
	"slices"
	"strings"
)

// model computes from scratch what accounts contribute, as docs/metrics.md defines it: for each kind of windows, each window and each
// group it goes through the facts of each account anew. It shares no code with the fold but windows, bins and names.
type model struct {
	settings Settings
	sums     map[string]int64
}

// account adds what an account contributes whose facts are these, in their order.
func (m *model) account(facts []Fact) {
	for i := len(facts) - 1; i >= 0; i-- {
		if facts[i].Type == "merged" || facts[i].Type == "erased" {
			facts = facts[i+1:]
			break
		}
	}
	if len(facts) == 0 || facts[len(facts)-1].Excluded {
		return
	}
	for _, grouping := range m.settings.Groupings {
		m.standing(grouping, facts)
		m.cohorts(grouping, facts)
		for _, f := range facts {
			if strings.HasPrefix(f.Type, "sales_") || f.Type == "meeting_booked" {
				m.add(grouping, groupsOf(grouping, &f), f.OccurredAt, "feedback "+f.Type, 1)
			}
		}
	}
}

// effective returns for each fact whether the account is a PQL before it and after it, and the time that counts.
func effective(facts []Fact) (before, after []bool, times []int64) {
	current, stood, time := false, false, int64(0)
	for _, f := range facts {
		before = append(before, current)
		switch f.Type {
		case "qualified", "requalified":
			current = true
		case "disqualified", "converted":
			current = false
		}
		after = append(after, current)
		if was := before[len(before)-1]; was || current || f.Type == "converted" {
			if !stood || f.OccurredAt > time {
				time, stood = f.OccurredAt, true
			}
		}
		times = append(times, time)
	}
	return before, after, times
}

func (m *model) standing(grouping []string, facts []Fact) {
	before, after, times := effective(facts)
	signedUp := facts[signUp(facts)].SignedUpAt
	var in [][]string
	var qualified []int
	for i, f := range facts {
		now := groupsOf(grouping, &f)
		switch {
		case !before[i] && after[i]:
			in = now
			m.add(grouping, in, times[i], "in "+f.Type, 1)
			m.qualification(grouping, facts, times, qualified, i)
			qualified = append(qualified, i)
			if f.Type == "qualified" && signedUp == 0 {
				m.add(grouping, in, times[i], "signup_unknown", 1)
			} else if f.Type == "qualified" {
				m.took(grouping, in, times[i], "time_to_pql", "", times[i]-signedUp)
			}
		case before[i] && !after[i]:
			why := f.Reason
			if f.Type == "converted" {
				why = "converted"
			} else if why == "" {
				why = "unknown"
			}
			m.add(grouping, in, times[i], "out "+why, 1)
		case before[i]:
			m.add(grouping, without(in, now), times[i], "out segment_changed", 1)
			m.add(grouping, without(now, in), times[i], "in segment_changed", 1)
			in = now
		}
	}
}

// qualification counts the account in windows in which it has not qualified before.
func (m *model) qualification(grouping []string, facts []Fact, times []int64, earlier []int, i int) {
	groups := groupsOf(grouping, &facts[i])
	paid := slices.IndexFunc(facts[i:], func(f Fact) bool { return f.Type == "converted" })
	treated, held := "", "held_"
	for _, w := range m.settings.Windows {
		start, _ := w.At(times[i])
		if slices.ContainsFunc(earlier, func(j int) bool { return times[j] >= start }) {
			continue
		}
		prefix := treated
		if facts[i].HoldOut {
			prefix = held
		}
		m.addIn(w, grouping, groups, times[i], prefix+"accounts", 1)
		if paid < 0 {
			continue
		}
		took := times[i+paid] - times[i]
		for _, days := range m.settings.PaidDays {
			if took <= int64(days)*24*3_600_000 {
				m.addIn(w, grouping, groups, times[i], fmt.Sprintf("%spaid %dd", prefix, days), 1)
			}
		}
		if prefix == treated {
			m.addIn(w, grouping, groups, times[i], fmt.Sprintf("time_to_paid #%d", BinOf(took)), 1)
			m.addIn(w, grouping, groups, times[i], "time_to_paid_sum", took)
		}
	}
}

// signUp returns the newest fact that tells a sign-up, 0 if none does.
func signUp(facts []Fact) int {
	for i := len(facts) - 1; i >= 0; i-- {
		if facts[i].SignedUpAt != 0 {
			return i
		}
	}
	return 0
}

func (m *model) cohorts(grouping []string, facts []Fact) {
	at := facts[signUp(facts)].SignedUpAt
	if at == 0 {
		return
	}
	told := facts[slices.IndexFunc(facts, func(f Fact) bool { return f.SignedUpAt != 0 })]
	groups := groupsOf(grouping, &told)
	m.add(grouping, groups, at, "signed_up", 1)
	if told.HoldOut {
		m.add(grouping, groups, at, "held_signed_up", 1)
	}
	m.add(grouping, groups, at, fmt.Sprintf("rate %d0%%", int(facts[len(facts)-1].Rate*10+1e-9)), 1)

	_, _, times := effective(facts)
	paid := slices.IndexFunc(facts, func(f Fact) bool { return f.Type == "converted" })
	pays := paid >= 0 && !told.HoldOut && times[paid]-at <= int64(slices.Max(m.settings.PaidDays))*24*3_600_000
	if pays {
		m.add(grouping, groups, at, "paid_since", 1)
	}
	if first := slices.IndexFunc(facts, func(f Fact) bool { return f.Type == "qualified" || f.Type == "requalified" }); first >= 0 {
		took := times[first] - at
		m.took(grouping, groups, at, "cohort_time_to_pql", "", took)
		for _, days := range m.settings.CohortDays {
			if took > int64(days)*24*3_600_000 {
				continue
			}
			m.add(grouping, groups, at, fmt.Sprintf("qualified_within %dd", days), 1)
			if told.HoldOut {
				m.add(grouping, groups, at, fmt.Sprintf("held_qualified_within %dd", days), 1)
			}
			if pays {
				m.add(grouping, groups, at, fmt.Sprintf("qualified_paid_since %dd", days), 1)
			}
		}
	}
	steps := map[string]int64{}
	for _, f := range facts {
		if was, ok := steps[f.Step]; f.Type == "step_done" && (!ok || f.OccurredAt < was) {
			steps[f.Step] = f.OccurredAt
		}
	}
	for id, done := range steps {
		m.took(grouping, groups, at, "step_time", id, done-at)
	}
}

func (m *model) took(grouping []string, groups [][]string, at int64, kind, name string, ms int64) {
	if name != "" {
		name = " " + name
	}
	m.add(grouping, groups, at, fmt.Sprintf("%s%s #%d", kind, name, BinOf(max(0, ms))), 1)
	m.add(grouping, groups, at, kind+"_sum"+name, max(0, ms))
}

func (m *model) add(grouping []string, groups [][]string, at int64, what string, n int64) {
	for _, w := range m.settings.Windows {
		m.addIn(w, grouping, groups, at, what, n)
	}
}

func (m *model) addIn(w *Windows, grouping []string, groups [][]string, at int64, what string, n int64) {
	start, _ := w.At(at)
	for _, values := range groups {
		key := cellKey(w, start, GroupingName(grouping), values, what)
		if m.sums[key] += n; m.sums[key] == 0 {
			delete(m.sums, key)
		}
	}
}

func cellKey(w *Windows, start int64, grouping string, values []string, what string) string {
	return fmt.Sprintf("%s %s %d %s=%q %s", w.Unit(), w.Zone(), start, grouping, values, what)
}

func without(groups, others [][]string) (out [][]string) {
	for _, g := range groups {
		if !slices.ContainsFunc(others, func(o []string) bool { return slices.Equal(g, o) }) {
			out = append(out, g)
		}
	}
	return out
}

// groupsOf returns the groups that a fact's account is in.
func groupsOf(grouping []string, f *Fact) [][]string {
	groups := [][]string{{}}
	for _, d := range grouping {
		var values []string
		switch d {
		case "tier":
			values = []string{f.Tier}
		case "checklist":
			values = []string{fmt.Sprint(f.Checklist)}
		case "segment":
			values = slices.Compact(slices.Sorted(slices.Values(f.Segments)))
		default:
			for _, have := range f.Dimensions {
				if have.Name == d {
					values = []string{have.Value}
				}
			}
		}
		if len(values) == 0 {
			values = []string{""}
		}
		var longer [][]string
		for _, g := range groups {
			for _, v := range values {
				longer = append(longer, append(slices.Clone(g), v))
			}
		}
		groups = longer
	}
	return groups
}
