package checklist

import (
	"bytes"
	"slices"
)

// Merge makes a working set what it would be if the events of another, of the same WorkKey, had been folded into it as well,
// and says whether that changed it. Both are valid; the zero Work is an account's start. The other stays as it is.
//
// Whether the step is done now the caller asks. A live step is as Judge says. Another one is done when Reached says so as of
// a moment before all events, or, if it is judged, when Judge does as of now. Then its working set, which may be larger than
// the step's can be, is of no use any more, as after an Update.
//
// The sets know what each of them still remembers, and so does the merged one. It is exact as far as no event is further
// behind the newest of both accounts than the disorder that the step's kind allows. Beyond that:
//   - What has been forgotten of one account does not complete a step, though the other's events of that time are there: of
//     windows, scores of days, and pairs of events, what lies further back.
//   - An event that must not come does not undo the other account's `after` when it was forgotten, and an `after` that was
//     forgotten for an earlier one does not wait in its place.
//   - Levels of a ratio count as far as they are among the newest 8, and the values of a live distinct step as far as they
//     are among the newest that are kept.
func (s *Step) Merge(w *Work, other Work) (changed bool) {
	switch {
	case len(other) == 0:
		return false
	case len(*w) == 0:
		*w = append((*w)[:0], other...)
		return true
	}
	before := slices.Clone(*w)
	s.rule.merge(w, other)
	return !bytes.Equal(before, *w)
}

// Forget takes what a working set holds of a user out of it. It says whether that changed the set, and whether nothing of
// the user is left in it: a set that does not tell whose events it is made of stays as it is. What the user's events had
// displaced from a set that forgets does not come back.
func (s *Step) Forget(w *Work, user string) (changed, exact bool) {
	if len(*w) == 0 {
		return false, true
	}
	if r, is := s.rule.(personal); is {
		return r.forget(w, user)
	}
	return false, false
}
