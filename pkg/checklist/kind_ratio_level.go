package checklist

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"
)

// maxLevels is how many levels are kept where one counts for as long as the watermark has not passed the next one's time.
const maxLevels = 8

// level is what holds from a time on, until the next one's: how much is used, or its share of the limit if the events tell
// that. Working sets hold levels in ascending order, after their number in a byte: the time as a zigzag varint of ms since
// the Unix epoch, later ones' as an unsigned varint of the distance from the one before, and the value as a little-endian
// double.
type level struct {
	at    int64
	value float64 // 0 or more; of two at one time the larger counts
}

// levelsBound is the most bytes that some levels take. Times differ by more than fits 9 bytes only once.
func levelsBound(n int) int {
	if n == 1 {
		return 1 + varintBound + 8
	}
	return 1 + 2*varintBound + (n-2)*(varintBound-1) + n*8
}

// appendLevels appends the levels that a working set begins with, up to as many as are kept. It is not ok when they are
// malformed.
func appendLevels(levels []level, w Work, keeps int) (_ []level, rest Work, ok bool) {
	if len(w) == 0 || int(w[0]) > keeps {
		return levels, w, len(w) == 0
	}
	n, at := int(w[0]), int64(0)
	w = w[1:]
	for i := range n {
		u, size := uvarint(w)
		switch {
		case size <= 0 || len(w)-size < 8:
			return levels, w, false
		case i == 0:
			at = int64(u>>1) ^ -int64(u&1)
		case u == 0 || u > uint64(math.MaxInt64)-uint64(at):
			return levels, w, false
		default:
			at += int64(u)
		}
		value := double(w[size:])
		if w = w[size+8:]; !(value >= 0 && value <= math.MaxFloat64) || math.Signbit(value) {
			return levels, w, false
		}
		levels = append(levels, level{at, value})
	}
	return levels, w, true
}

func encodeLevels(w Work, levels []level) Work {
	w = append(w, byte(len(levels)))
	for i := range levels {
		if i == 0 {
			w = binary.AppendVarint(w, levels[0].at)
		} else {
			w = binary.AppendUvarint(w, uint64(levels[i].at)-uint64(levels[i-1].at))
		}
		w = appendDouble(w, levels[i].value)
	}
	return w
}

// insertLevel puts a level in its place and drops those that count no more, and the oldest of too many. It says whether
// that changed anything but them.
func insertLevel(levels []level, l level, watermark int64, keeps int) (_ []level, changed bool) {
	passed := 0
	for !counting(levels, passed, watermark) {
		passed++
	}
	levels = slices.Delete(levels, 0, passed)
	i := len(levels)
	for i > 0 && levels[i-1].at > l.at {
		i--
	}
	switch {
	case i > 0 && levels[i-1].at == l.at:
		changed = l.value > levels[i-1].value
		levels[i-1].value = max(l.value, levels[i-1].value)
		return levels, changed
	case i == 0 && len(levels) > 0 && (len(levels) == keeps || levels[0].at < watermark):
		return levels, false
	case len(levels) < keeps:
		return slices.Insert(levels, i, l), true
	}
	copy(levels, levels[1:i])
	levels[i-1] = l
	return levels, true
}

// until is the first watermark at which a level does not count any more: the next one's time lies before it. An event as
// old as the watermark may still come, so what holds there is not known before.
func until(levels []level, i int) int64 {
	if i+1 == len(levels) || levels[i+1].at == math.MaxInt64 {
		return Never
	}
	return levels[i+1].at + 1
}

// counting says whether a level counts at a watermark.
func counting(levels []level, i int, watermark int64) bool {
	return i+1 >= len(levels) || levels[i+1].at >= watermark
}

// newestValue is what the newest level holds.
func newestValue(levels []level) float64 {
	if len(levels) == 0 {
		return 0
	}
	return levels[len(levels)-1].value
}

// levelRule keeps the newest levels: how much is used, or its share of the limit if the events tell that.
type levelRule struct {
	ratioRule
	keeps int
}

func (r *levelRule) update(w *Work, in *Input) (changed, done bool) {
	value, ok := r.of.number(in.Event)
	value = max(0, value)
	if ok && r.to.property != "" {
		var per float64
		per, ok = r.to.told(in.Event)
		value = min(value*per, math.MaxFloat64)
	}
	if !ok {
		return false, false
	}
	var room [maxLevels]level
	levels, _, intact := appendLevels(room[:0], *w, r.keeps)
	if !intact {
		levels = levels[:0]
	}
	if levels, changed = insertLevel(levels, level{in.Event.OccurredAt, value}, in.Watermark, r.keeps); changed {
		*w = encodeLevels((*w)[:0], levels)
	}
	done = r.to.account < 0 && r.reaches(value*r.to.per(nil))
	return changed || done, done
}

func (r *levelRule) valid(w Work) bool {
	var room [maxLevels]level
	_, rest, ok := appendLevels(room[:0], w, r.keeps)
	return ok && len(rest) == 0 && (len(w) == 0 || w[0] > 0)
}

func (r *levelRule) merge(w *Work, other Work) {
	levels, _, _ := appendLevels(nil, *w, r.keeps)
	levels, _, _ = appendLevels(levels, other, r.keeps)
	slices.SortFunc(levels, func(a, b level) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(b.value, a.value)) })
	levels = slices.CompactFunc(levels, func(a, b level) bool { return a.at == b.at })
	*w = encodeLevels((*w)[:0], levels[max(0, len(levels)-r.keeps):])
}

func (r *levelRule) count(w Work, m *Moment) float64 {
	var room [maxLevels]level
	levels, _, _ := appendLevels(room[:0], w, r.keeps)
	return min(newestValue(levels)*r.to.per(m.Account), math.MaxFloat64)
}

func (r *levelRule) traits() traits {
	t := r.ratioRule.traits()
	t.shape, t.bound = "level of "+r.of.name, workBound+levelsBound(r.keeps)
	if r.keeps > 1 {
		t.shape = "levels of " + r.of.name
	}
	if r.to.property != "" { // shares are kept
		t.shape += " to " + r.to.name
	}
	return t
}

// judgedLevelRule keeps several levels, because those that the watermark has not passed count too.
type judgedLevelRule struct{ levelRule }

func (r *judgedLevelRule) judge(w Work, m *Moment) (done bool, next int64) {
	var room [maxLevels]level
	levels, _, _ := appendLevels(room[:0], w, r.keeps)
	per := r.to.per(m.Account)
	for i := len(levels) - 1; i >= 0 && counting(levels, i, m.Watermark); i-- {
		switch {
		case !r.reaches(levels[i].value * per):
		case r.live:
			return true, until(levels, i)
		default:
			return true, Never
		}
	}
	return false, Never
}

func (r *judgedLevelRule) traits() traits {
	t := r.levelRule.traits()
	t.timed = r.live
	return t
}
