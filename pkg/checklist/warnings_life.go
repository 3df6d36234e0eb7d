package checklist

import (
	"fmt"
	"slices"
	"strings"
)

// warnOfLife warns of sign-ups and conversions that say nothing beside a step, or beside each other.
func (w *warner) warnOfLife() {
	signup, converted := w.def.Signup, w.def.Converted
	if event := sharedEvent(signup, converted); event != "" && passes(converted.Where, signup.Where) {
		w.add("converted", "whoever signs up by %s has converted at once, and is never a lead", event)
	}
	for i := range w.def.Steps {
		d, path := &w.def.Steps[i], fmt.Sprintf("steps[%d]", i)
		if w.list.Steps()[i].Weight == 0 || !doneAtOnce(d) {
			continue
		}
		by := &MomentDef{Event: d.Event, Where: d.Where}
		if event := sharedEvent(signup, by); event != "" && passes(by.Where, signup.Where) {
			w.add(path, "whoever signs up by %s has done %s at once, so it says nothing of what they do: drop it", event, d.ID)
		}
		if event := sharedEvent(converted, by); event != "" && passes(converted.Where, by.Where) {
			w.add(path, "whoever does %s by %s has converted, so it comes too late to find a lead: drop it", d.ID, event)
		}
	}
}

// sharedEvent returns an event that marks two moments, if there is one.
func sharedEvent(a, b *MomentDef) string {
	if a == nil || b == nil {
		return ""
	}
	if i := slices.IndexFunc(a.Event, func(event string) bool { return slices.Contains(b.Event, event) }); i >= 0 {
		return a.Event[i]
	}
	return ""
}

// passes says whether a filter surely lets through whatever another does.
func passes(where, other string) bool {
	return strings.TrimSpace(where) == "" || strings.TrimSpace(where) == strings.TrimSpace(other)
}

// doneAtOnce says whether one event does a step for good.
func doneAtOnce(d *StepDef) bool {
	return !d.Live && (d.Kind == eventKind.Name || (d.Kind == countKind.Name || d.Kind == daysKind.Name) && needs(d) <= 1)
}
