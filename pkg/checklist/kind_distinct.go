package checklist

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

// maxDistinct bounds the ids that a distinct step keeps.
const maxDistinct = 10_000

var distinctKind = Kind{
	Name: "distinct",
	Doc: "Done when the event has come with a number of different users, or values of a property. Events without " +
		"one don't count. It keeps the values seen, at most `at_least`; of a value over 64 bytes its SHA-256.",
	Fields: []Field{eventField, whereField,
		{Name: "of", Doc: "what must differ: `user_id` or `properties.NAME`", Required: true},
		{Name: "at_least", Doc: "how many, a whole number up to 10,000", Required: true}},
	Example: "{id: invited_team, kind: distinct, event: invite_accepted, of: user_id, at_least: 3}",
	build: func(b *builder) rule {
		b.onEvent()
		return &distinctRule{target: b.atLeast(maxDistinct, false), of: b.operand("user_id"), events: b.d.Event.String()}
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

func (r *distinctRule) count(w Work, _ []usage.Value) (n float64) {
	for ; len(w) > 0; n++ {
		w = w[min(1+int(w[0]), len(w)):]
	}
	return n
}

func (r *distinctRule) appendNeed(b []byte, have float64) []byte {
	if r.of.property == "" {
		b = appendMore(b, r.target-have, "user")
	} else {
		b = append(append(appendMore(b, r.target-have, "value"), " of "...), r.of.name...)
	}
	return appendShare(append(append(b, " with "...), r.events...), have, r.target)
}

func (r *distinctRule) traits() traits {
	return traits{target: r.target, shape: "distinct " + r.of.name, bound: workBound + int(r.target)*idBound}
}
