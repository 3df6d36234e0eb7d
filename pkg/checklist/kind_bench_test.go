package checklist

import (
	"fmt"
	"testing"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

// BenchmarkKinds folds an event every 90 seconds, some of them a little late, of ten users, with the watermark following.
// What completes a step begins it anew.
func BenchmarkKinds(b *testing.B) {
	names, steps := conforming(b)
	for i, step := range steps {
		if len(step.inputs) == 0 {
			continue
		}
		b.Run(names[i], func(b *testing.B) {
			events, roles := steady(step)
			var w Work
			in := &Input{Moment: Moment{Account: someAccount}}
			at := int64(1_770_000_000_000)
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				in.Event, in.Role = &events[n%len(events)], roles[n%len(roles)]
				at += 90_000
				in.Event.OccurredAt, in.Watermark = at-int64(n%8)*30_000, at-300_000
				if _, done := step.Update(&w, in); done && !step.Live {
					w = w[:0]
				}
			}
		})
	}
}

// steady makes events of a thousandth of what completes a step, if it counts amounts, for each of its inputs in turn.
func steady(step *Step) (events []usage.Event, roles []uint8) {
	for i := range 840 {
		ev := usage.Event{UserID: fmt.Sprintf("user-%d", i*7%10), Quantity: step.target / 1000}
		for _, p := range step.reads {
			v := usage.DoubleValue(step.target / 1000)
			if step.Kind == distinctKind.Name {
				v = usage.StringValue(ev.UserID)
			}
			ev.Properties = append(ev.Properties, usage.Property{Key: p, Value: v})
		}
		events, roles = append(events, ev), append(roles, uint8(i%len(step.inputs)))
	}
	return events, roles
}
