package checklist

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// maxDistinct bounds the ids that a distinct step keeps.
const maxDistinct = 10_000

var distinctKind = Kind{
	Name: "distinct",
	Doc: "Done when the event has come with a number of different users, or values of a property, over the account's whole " +
		"life or within a window. Events without one don't count. The order of arrival does not matter, within a window up to " +
		"a disorder of the window's length, at least an hour and at most 30 days, 48 hours or 120 minutes, by the window's unit. " +
		"It keeps the values seen, of a value over 64 bytes its SHA-256: fewer than `at_least`; within a window fewer than twice " +
		"as many, each with a bit for every day, hour or minute of the window and the disorder; a live step the newest, three " +
		"times `at_least`. Within less than an hour it keeps more: for each window that fits into the hour of disorder.",
	Fields: []Field{eventField, whereField,
		{Name: "of", Doc: "what must differ: `user_id` or `properties.NAME`", Required: true},
		{Name: "at_least", Doc: "how many, a whole number up to 10,000", Required: true}, withinField, liveField},
	Example: "{id: invited_team, kind: distinct, event: invite_accepted, of: user_id, at_least: 3}",
	build: func(b *builder) rule {
		b.onEvent()
		r := distinctRule{target: b.atLeast(maxDistinct, false), of: b.operand("user_id"), events: b.d.Event.String()}
		switch within := b.window(); {
		case within == nil:
			return &r
		case b.d.Live:
			return newLiveDistinct(r, within)
		default:
			w := newWindowedDistinct(r, within)
			return &w
		}
	},
}

// distinctRule keeps the values in ascending order, each with its length in a byte before it.
type distinctRule struct {
	target float64
	of     operand
	events string
}

func (r *distinctRule) update(w *Work, in *Input) (changed, done bool) {
	id := shortened(r.of.text(in.Event))
	if id == "" {
		return false, false
	}
	at, before := 0, 0 // where it belongs, and how many values there are
	for i, passed := 0, false; i < len(*w); before++ {
		next := i + 1 + int((*w)[i])
		if next > len(*w) { // no working set ends like this: what is left of it is none
			*w = (*w)[:i]
			break
		}
		if kept := (*w)[i+1 : next]; !passed {
			if string(kept) == id {
				return false, false
			}
			if passed = string(kept) > id; !passed {
				at = next
			}
		}
		i = next
	}
	*w = append(append(*w, 0), id...) // makes room
	copy((*w)[at+1+len(id):], (*w)[at:])
	(*w)[at] = byte(len(id))
	copy((*w)[at+1:], id)
	return true, float64(before+1) >= r.target
}

// maxKept is the longest value that a distinct step keeps as it is. A digest is longer, so no value looks like one.
const maxKept = 64

// maxDigest is the length of a digest.
const maxDigest = len("sha256:") + 2*sha256.Size

func shortened(id string) string {
	if len(id) <= maxKept {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return "sha256:" + hex.EncodeToString(sum[:])
}

func (r *distinctRule) valid(w Work) bool {
	for last := Work(nil); len(w) > 0; {
		size := int(w[0])
		if size >= len(w) || size == 0 || size > maxDigest || bytes.Compare(last, w[1:1+size]) >= 0 {
			return false
		}
		last, w = w[1:1+size], w[1+size:]
	}
	return true
}

func (r *distinctRule) merge(w *Work, other Work) {
	a, b, out := *w, other, make(Work, 0, len(*w)+len(other))
	for len(a) > 0 && len(b) > 0 {
		one, two := a[:1+int(a[0])], b[:1+int(b[0])]
		c := bytes.Compare(one[1:], two[1:])
		if c <= 0 {
			out, a = append(out, one...), a[len(one):]
		}
		if c > 0 {
			out = append(out, two...)
		}
		if c >= 0 {
			b = b[len(two):]
		}
	}
	*w = append(append(out, a...), b...)
}

// forget is exact where the values are users.
func (r *distinctRule) forget(w *Work, user string) (changed, exact bool) {
	if r.of.property != "" {
		return false, false
	}
	value := shortened(user)
	for i, next := 0, 0; i < len(*w); i = next {
		if next = i + 1 + int((*w)[i]); string((*w)[i+1:next]) == value {
			*w = append((*w)[:i], (*w)[next:]...)
			return true, true
		}
	}
	return false, true
}

func (r *distinctRule) count(w Work, _ *Moment) (n float64) {
	for ; len(w) > 0; n++ {
		w = w[min(1+int(w[0]), len(w)):]
	}
	return n
}

func (r *distinctRule) appendNeed(b []byte, have float64) []byte {
	return appendShare(r.appendMore(b, have), have, r.target)
}

func (r *distinctRule) appendMore(b []byte, have float64) []byte {
	if r.of.property == "" {
		b = appendMore(b, r.target-have, "user")
	} else {
		b = append(append(appendMore(b, r.target-have, "value"), " of "...), r.of.name...)
	}
	return append(append(b, " with "...), r.events...)
}

func (r *distinctRule) traits() traits {
	return traits{target: r.target, shape: "distinct " + r.of.name, bound: workBound + int(r.target)*idBound}
}

// windowedDistinctRule keeps the values with the buckets that they were seen in, see sightings.
type windowedDistinctRule struct {
	distinctRule
	within *window
	span   int // buckets that are kept
	most   int // values that a live step keeps, those seen last; 0: it is done before there are many
}

func newWindowedDistinct(r distinctRule, within *window) windowedDistinctRule {
	// Every window's length that is remembered can hold at_least values: no more than what disorder needs.
	anHour := int(max(1, time.Hour.Milliseconds()/within.unit))
	return windowedDistinctRule{distinctRule: r, within: within, span: within.width + min(within.memory, max(within.width, anHour))}
}

func (r *windowedDistinctRule) update(w *Work, in *Input) (changed, done bool) {
	value := shortened(r.of.text(in.Event))
	if value == "" {
		return false, false
	}
	bucket := int(r.within.bucket(in.Event.OccurredAt))
	newest, values, ok := sightings(*w).open()
	if !ok {
		newest = bucket
	}
	age := newest - bucket
	if age >= r.span { // forgotten at once
		return r.target <= 1, r.target <= 1
	}
	noted := false
	if age >= 0 {
		changed, noted = mark(values, value, age)
	}
	if !noted {
		changed = r.see(w, value, bucket)
	}
	if !changed {
		return false, false
	}
	if age = max(0, age); r.most == 0 { // otherwise the judge looks
		_, done = r.crowded(*w, age, age+r.within.width)
	}
	return true, done
}

// see notes a value, and drops what are too many then. The set has not changed if that is the value itself.
func (r *windowedDistinctRule) see(w *Work, value string, bucket int) (changed bool) {
	changed = true
	for n := (*sightings)(w).see(value, bucket, r.span); r.most > 0 && n > r.most; n-- {
		changed = !(*sightings)(w).dropOldest(value) && changed
	}
	return changed
}

// crowded says whether any of the windows that begin from one number of buckets before the newest to below another has
// enough values, and with how many the newest such begins.
func (r *windowedDistinctRule) crowded(w Work, from, before int) (begins int, done bool) {
	_, values, _ := sightings(w).open()
	var room [maxAges]int32
	// A window that begins before the oldest bucket kept has no more than one that begins with it.
	counted, n := room[:min(before, r.span)], int32(0)
	crowds(values, r.within.width, counted)
	for begins, more := range counted {
		if n += more; begins >= from && float64(n) >= r.target {
			return begins, true
		}
	}
	return 0, false
}

// holds says whether a window that reaches to or beyond a moment has enough values, and from which watermark on none does.
func (r *windowedDistinctRule) holds(w Work, m *Moment) (holds bool, end int64) {
	newest, _, ok := sightings(w).open()
	// Such a window begins less than its width before.
	before := newest - (int(r.within.bucket(m.Watermark)) - r.within.width)
	if !ok || before <= 0 {
		return false, Never
	}
	begins, holds := r.crowded(w, 0, before)
	if !holds {
		return false, Never
	}
	return true, r.within.ends(int32(newest - begins))
}

func (r *windowedDistinctRule) reached(w Work, m *Moment) bool {
	holds, _ := r.holds(w, m)
	return holds
}

func (r *windowedDistinctRule) merge(w *Work, other Work) {
	(*sightings)(w).merge(sightings(other), r.span)
	if r.most > 0 {
		(*sightings)(w).keepNewest(r.most)
	}
}

func (r *windowedDistinctRule) forget(w *Work, user string) (changed, exact bool) {
	if r.of.property != "" {
		return false, false
	}
	return (*sightings)(w).remove(shortened(user)), true
}

func (r *windowedDistinctRule) valid(w Work) bool { return sightings(w).valid() }

func (r *windowedDistinctRule) count(w Work, m *Moment) (n float64) {
	newest, values, _ := sightings(w).open()
	before := min(r.within.width, newest-int(r.within.before(m)))
	for s, rest, ok := nextSighting(values); ok; s, rest, ok = nextSighting(rest) {
		if s.next(0) < before {
			n++
		}
	}
	return n
}

func (r *windowedDistinctRule) appendNeed(b []byte, have float64) []byte {
	return appendShare(appendWithin(r.appendMore(b, have), r.within), have, r.target)
}

// windows is how many windows side by side it takes to cover the buckets that are kept.
func (r *windowedDistinctRule) windows() int { return (r.span + r.within.width - 1) / r.within.width }

// values is how many are kept at most: if not limited, too few for a window to have enough.
func (r *windowedDistinctRule) values() int {
	if r.most > 0 {
		return r.most
	}
	return r.windows() * (int(r.target) - 1)
}

func (r *windowedDistinctRule) traits() traits {
	return traits{target: r.target, shape: "distinct " + r.of.name + " by " + r.within.shape,
		bound: workBound + dayBound + r.values()*(idBound+1+(r.span+7)/8)}
}

// liveDistinctRule keeps what windowedDistinctRule does, also while the step is done: then the values seen last.
type liveDistinctRule struct{ windowedDistinctRule }

func newLiveDistinct(d distinctRule, within *window) *liveDistinctRule {
	r := newWindowedDistinct(d, within)
	// So many more than the windows side by side can hold without having enough that no window with a value that was
	// dropped is the newest to have enough.
	r.most = (r.windows() + 1) * int(r.target)
	return &liveDistinctRule{r}
}

func (r *liveDistinctRule) judge(w Work, m *Moment) (done bool, next int64) { return r.holds(w, m) }

func (r *liveDistinctRule) traits() traits {
	t := r.windowedDistinctRule.traits()
	t.timed = true
	return t
}
