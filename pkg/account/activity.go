package account

import (
	"cmp"
	"slices"
)

const (
	mostUsers    = 5
	activeMillis = 7 * 86_400_000
)

// activity returns what the users tracked have done.
func (e *Engine) activity(s *State) (out []UserActivity) {
	var stepsDone [maxUsers]int // by place
	for r, d := s.log(), (entry{}); r.next(&d); {
		stepsDone[d.user]++
	}
	names, bar := s.userNames(), e.checklist.Tiers()[s.standing.tier].Threshold
	for r, u, place := s.users(), (user{}), 1; r.next(&u); place++ {
		if u.events == 0 {
			continue
		}
		rate := e.userRate(&u.merits)
		out = append(out, UserActivity{
			ID: names[place], Events: u.events, LastSeen: u.lastSeen, StepsDone: stepsDone[place], Role: string(u.role),
			Rate: rate, Activated: rate > 0 && reached(rate, bar),
		})
	}
	return out
}

// userRate is a user's own activation rate: the weight of the steps that the user took part in / the weight of those that
// users can take part in.
func (e *Engine) userRate(have *merits) float64 {
	if e.merit == 0 {
		return 0
	}
	var weight float64
	for i := have.next(0); i >= 0; i = have.next(i + 1) {
		weight += e.checklist.Steps()[e.ranked[i]].Weight
	}
	return weight / e.merit
}

// champion returns the user with the highest rate, of several the most active; nil when no user is known.
func champion(of []UserActivity) *UserActivity {
	if len(of) == 0 {
		return nil
	}
	best := &of[0]
	for i := range of {
		if c := cmp.Or(cmp.Compare(of[i].Rate, best.Rate), -byActivity(of[i], *best)); c > 0 {
			best = &of[i]
		}
	}
	return best
}

// byActivity orders users, the most active first.
func byActivity(a, b UserActivity) int {
	return cmp.Or(cmp.Compare(b.Events, a.Events), cmp.Compare(b.LastSeen, a.LastSeen), cmp.Compare(a.ID, b.ID))
}

// topUsers returns the most active users, the most active first. It changes their order.
func topUsers(of []UserActivity) []UserActivity {
	slices.SortFunc(of, byActivity)
	return of[:min(mostUsers, len(of)):min(mostUsers, len(of))]
}

func activeUsers(of []UserActivity, since int64) (n int) {
	for i := range of {
		if of[i].LastSeen > since {
			n++
		}
	}
	return n
}

func activated(of []UserActivity) (n int) {
	for i := range of {
		if of[i].Activated {
			n++
		}
	}
	return n
}

// singleUser says whether everything was done by one user: of those tracked or, where none are, by the evidence.
func (e *Engine) singleUser(s *State, tracked int) bool {
	if e.users > 0 {
		return tracked == 1 && !s.has(severalUsers)
	}
	one := 0
	for r, d := s.log(), (entry{}); r.next(&d); {
		if d.kind != kindStepDone || d.timed {
			continue
		}
		if d.user == 0 || one != 0 && d.user != one {
			return false
		}
		one = d.user
	}
	return one != 0
}

// userNames returns the ids of the users by their place in one piece of memory, of which 0 is nobody.
func (s *State) userNames() []string {
	names, all := make([]string, 1, 1+s.parts.count(users)), string(s.parts.items(users))
	for r, u := s.users(), (user{}); r.next(&u); {
		names = append(names, all[u.numbers-len(u.id):u.numbers])
	}
	return names
}

// topicNames returns the names of the topics by their place in one piece of memory.
func (s *State) topicNames() []string {
	items := s.parts.items(topics)
	names, all := make([]string, 0, s.parts.count(topics)), string(items)
	for r := (reader{b: items}); r.more(); {
		n := len(r.text())
		names = append(names, all[r.at-n:r.at])
	}
	return names
}
