package checklist

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

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
	build: func(d *StepDef, p *problems, path string) rule {
		return &distinctRule{
			target: d.atLeast(p, path, maxDistinct, false),
			of:     parseOperand(d.Of, "user_id", p, path),
			events: d.events(),
		}
	},
}

type distinctRule struct {
	target float64
	of     operand
	events string
}

func (r *distinctRule) update(w *Work, ev *usage.Event) (changed, done bool) {
	id := shortened(r.of.text(ev))
	if id == "" {
		return false, false
	}
	at, seen := slices.BinarySearch(w.IDs, id)
	if seen {
		return false, false
	}
	w.IDs = slices.Insert(w.IDs, at, strings.Clone(id))
	return true, float64(len(w.IDs)) >= r.target
}

// maxKept is the longest value that a distinct step keeps as it is. A digest is longer, so no value looks like one.
const maxKept = 64

func shortened(id string) string {
	if len(id) <= maxKept {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return "sha256:" + hex.EncodeToString(sum[:])
}

func (r *distinctRule) count(w *Work) float64 { return float64(len(w.IDs)) }

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
