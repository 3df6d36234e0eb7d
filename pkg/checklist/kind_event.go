package checklist

import "github.com/pqlstream/pqlstream/pkg/usage"

var eventKind = Kind{
	Name:    "event",
	Doc:     "Done at the first of the events. It keeps nothing.",
	Fields:  []Field{eventField, whereField},
	Example: "{id: saw_premium, kind: event, event: [premium_viewed, upgrade_clicked]}",
	build: func(d *StepDef, _ *problems, _ string) rule {
		return &eventRule{missing: "no " + d.events() + " yet"}
	},
}

type eventRule struct{ missing string }

func (r *eventRule) update(*Work, *usage.Event) (changed, done bool) { return true, true }

func (r *eventRule) count(w Work) (float64, bool) { return 0, len(w) == 0 }

func (r *eventRule) appendNeed(b []byte, _ float64) []byte { return append(b, r.missing...) }

func (r *eventRule) traits() traits { return traits{target: 1, shape: "event"} }
