package checklist

var eventKind = Kind{
	Name:    "event",
	Doc:     "Done at the first of the events. It keeps nothing.",
	Fields:  []Field{eventField, whereField},
	Example: "{id: saw_premium, kind: event, event: [premium_viewed, upgrade_clicked]}",
	build: func(b *builder) rule {
		b.onEvent()
		return &eventRule{missing: "no " + b.d.Event.String() + " yet"}
	},
}

type eventRule struct{ missing string }

func (r *eventRule) update(*Work, *Input) (changed, done bool) { return true, true }

func (r *eventRule) valid(w Work) bool { return len(w) == 0 }

func (r *eventRule) merge(*Work, Work) {}

func (r *eventRule) count(Work, *Moment) float64 { return 0 }

func (r *eventRule) appendNeed(b []byte, _ float64) []byte { return append(b, r.missing...) }

func (r *eventRule) traits() traits { return traits{target: 1, shape: "event", milestones: true} }
