package checklist

import (
	"math"
	"strconv"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

// Kind documents one kind of step. The reference page, the configuration's schema and the conformance tests are made
// from it.
type Kind struct {
	Name    string
	Doc     string
	Fields  []Field // beside id, kind and weight, which every step has
	Example string  // one step in YAML

	build func(b *builder) rule
}

// Field documents one field of a kind.
type Field struct {
	Name     string
	Doc      string
	Required bool
	Default  string // what holds when it is left out, in words
}

// kinds is the one list of the kinds there are.
var kinds = []Kind{eventKind, countKind, distinctKind, daysKind, sumKind, ratioKind, sequenceKind, absentKind, scoreKind, trialKind,
	anyKind, allKind}

// Kinds returns the kinds of steps there are, in the order of the reference page.
func Kinds() []Kind { return append([]Kind(nil), kinds...) }

// rule is a kind's behaviour with the fields of one step. It is immutable.
type rule interface {
	// update folds an event that one of the step's inputs accepted into the working set. Whether a judged rule's step is
	// done its judge says.
	update(w *Work, in *Input) (changed, done bool)
	// valid says whether bytes are a working set of the rule: as its update leaves them.
	valid(w Work) bool
	// merge makes a working set what it would be if the events of another had been folded into it, too. Neither is empty, both
	// are valid, and the other stays as it is. What is too much for a set it leaves out as update does; what an earlier update
	// has left out of either can't come back.
	merge(w *Work, other Work)
	// count is what the step has counted, in its own unit, as far as it counts still at a moment: what has left its window
	// by then, or decayed, does not. The working set is valid.
	count(w Work, m *Moment) float64
	// appendNeed appends what is missing, in words, after so much was counted.
	appendNeed(b []byte, have float64) []byte
	// traits are what the rule is to the rest: constant.
	traits() traits
}

// judged is a rule whose step is done or not as its working set stands: because it is live, or because time or an
// account property decides too.
type judged interface {
	rule
	// judge says whether the step is done at a moment, and the watermark at which that will be otherwise if no event
	// comes: Never when it won't. It is a function of the working set and the moment alone, and the working set does not
	// depend on the order in which events within the allowed disorder came.
	judge(w Work, m *Moment) (done bool, next int64)
}

// held is a rule that tells from more than its count whether a working set holds enough.
type held interface {
	rule
	// reached says whether it does, in anything that reaches to or beyond a moment: a window, or a day's score.
	reached(w Work, m *Moment) bool
}

// personal is a rule that knows what a working set holds of a user.
type personal interface {
	rule
	// forget takes that out. It is exact when nothing of the user is left.
	forget(w *Work, user string) (changed, exact bool)
}

// traits are a rule's constants.
type traits struct {
	target       float64 // the count at which the step is done
	shape        string  // the working set's meaning: a working set of another shape is not carried over
	bound        int     // bytes that the encoded working set can take at most
	timed        bool    // judge may tell a time
	readsAccount bool    // judge reads account properties
	uncredited   bool    // its events are nobody's merit
	milestones   bool    // it counts what has to come one after the other, of which all has when it is done
}

// Never is a time that no watermark reaches.
const Never = math.MaxInt64

// Moment is when something is decided.
type Moment struct {
	Watermark int64         // no earlier event is expected; ms since the Unix epoch
	Account   []usage.Value // the account's declared properties
}

// Input is an event for a step.
type Input struct {
	Moment
	Event *usage.Event
	Role  uint8 // which of the step's inputs accepted it, counted from 0; most steps have one
}

// Work is what a step keeps of one account until it is done, a live one also then: its working set, as encoded states hold
// it. The zero Work is an account's start. What the bytes mean is up to the kind, which says so with its constructor;
// traits.shape names it.
type Work []byte

var (
	eventField = Field{Name: "event", Doc: "the event's name, or a list of names of which any counts", Required: true}
	whereField = Field{Name: "where", Doc: "an expression over `properties`, `user_id`, `quantity`, `event` and `account`; " +
		"events that it is not true for don't count. One that reads something missing is not true",
		Default: "every event counts"}
	withinField = Field{Name: "within", Doc: "a window of consecutive days of the checklist's zone (`7d`), hours (`36h`) " +
		"or minutes (`90m`), at most 366 of them",
		Default: "the account's whole life"}
	liveField = Field{Name: "live", Doc: "`true`: the step is undone again when its window has too little; needs `within`",
		Default: "done once is done for good"}
)

// given names the fields that a step has, beside id, kind and weight.
func (d *StepDef) given() (names []string) {
	for _, f := range []struct {
		name string
		has  bool
	}{
		{"event", d.Event != nil}, {"where", d.Where != ""}, {"of", d.Of != ""},
		{"at_least", d.AtLeast != nil}, {"within", d.Within != nil},
		{"to", d.To != ""}, {"adds", d.Adds}, {"live", d.Live}, {"first", d.First != nil}, {"then", d.Then != nil},
		{"after", d.After != nil}, {"for", d.For != nil}, {"points", d.Points != nil}, {"caps", d.Caps != nil},
		{"half_life", d.HalfLife != nil}, {"day", d.Day != nil}, {"finished", d.Finished}, {"steps", d.Steps != nil},
	} {
		if f.has {
			names = append(names, f.name)
		}
	}
	return names
}

// appendNumber formats without an exponent or needless digits.
func appendNumber(b []byte, f float64) []byte { return strconv.AppendFloat(b, f, 'f', -1, 64) }

// significant rounds a number for people to 6 digits, and leaves whole ones as they are: what a sum of fractions loses in its
// last digits must not show.
func significant(f float64, round func(float64) float64) float64 {
	if f == math.Trunc(f) {
		return f
	}
	const digits, most = 6, 15
	unit := math.Pow10(min(max(digits-1-int(math.Floor(math.Log10(math.Abs(f)))), 0), most))
	return round(f*unit) / unit
}

// floored is math.Floor, but for what a whole number has lost in a sum.
func floored(f float64) float64 { return math.Floor(f * (1 + 1e-9)) }

// appendMore appends how many more of something it takes.
func appendMore(b []byte, n float64, what string) []byte {
	n = significant(n, math.Round)
	b = append(append(appendNumber(b, n), " more "...), what...)
	if n != 1 {
		b = append(b, 's')
	}
	return b
}

// appendShare appends how much of the target there is, which is never said to be all as long as it is not.
func appendShare(b []byte, have, target float64) []byte {
	b = append(appendNumber(append(b, " ("...), significant(have, floored)), " of "...)
	return append(appendNumber(b, target), ')')
}

// appendWithin appends a window, if there is one.
func appendWithin(b []byte, w *window) []byte {
	if w == nil {
		return b
	}
	return append(append(b, " within "...), w.words...)
}
