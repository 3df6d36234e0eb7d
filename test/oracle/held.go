package oracle

import (
	"maps"
	"slices"
)

// deliver brings an account a message, which may have to wait for what time is to do to the account before.
func (o *Oracle) deliver(m *message, partition int32, offset int64) {
	if m.kind == "event" && !o.listened(m.event.Name) {
		return
	}
	a := o.account(m.to, partition, offset)
	watermark := o.watermark(partition)
	o.pass(a, 0, watermark)
	if m.until > 0 && (a.due() <= m.until || slices.ContainsFunc(a.held, m.follows) || m.erases() && len(a.held) > 0) {
		a.held = append(a.held, m)
		o.holding[a.id] = true
		return
	}
	if m.until == 0 && m.kind != "event" && len(a.held) > 0 {
		for m := a.nextHeld(); m != nil; m = a.nextHeld() {
			o.release(a, m, watermark)
		}
	}
	o.answer(a, m, watermark)
	o.pass(a, watermark, watermark)
}

// follows says whether a message must not overtake one that is held: of the same partition of a source, or sent on by the same alias.
func (m *message) follows(held *message) bool {
	if n := len(m.visited); n > 0 {
		return len(held.visited) > 0 && held.visited[len(held.visited)-1] == m.visited[n-1]
	}
	return len(held.visited) == 0 && held.source.Topic == m.source.Topic && held.source.Partition == m.source.Partition
}

// erases says whether a message is to take away what is known: it overtakes nothing that came before it.
func (m *message) erases() bool { return m.kind == "erase-account" || m.kind == "erase-user" }

// nextHeld is the one whose turn is next: of the first of each partition the one that was read earliest by the time there.
func (a *account) nextHeld() (next *message) {
	for i, m := range a.held {
		if !slices.ContainsFunc(a.held[:i], m.follows) && (i == 0 || !m.erases()) && (next == nil || m.until < next.until) {
			next = m
		}
	}
	return next
}

func (o *Oracle) release(a *account, m *message, watermark int64) {
	a.held = slices.DeleteFunc(a.held, func(h *message) bool { return h == m })
	if len(a.held) == 0 {
		delete(o.holding, a.id)
	}
	o.answer(a, m, watermark)
}

// pass lets an account's time pass up to a watermark, and delivers what has waited for it, at the time that the account has come to. When that
// happens makes no difference, so it is done when something else does, and in the end.
func (o *Oracle) pass(a *account, passed, watermark int64) {
	for {
		m := a.nextHeld()
		if m == nil {
			o.grow(a, watermark)
			return
		}
		at := min(watermark, m.until)
		for a.due() <= at {
			due := a.due()
			passed = max(passed, due)
			o.grow(a, due)
		}
		if a.due() <= m.until {
			return
		}
		if passed == 0 {
			passed = at
		}
		o.release(a, m, passed)
	}
}

// releaseAll delivers what has waited for the time that a partition has been told: others may wait for what is sent then.
func (o *Oracle) releaseAll(partition int32) {
	for _, id := range slices.Sorted(maps.Keys(o.holding)) {
		if a := o.accounts[id]; a.partition == partition {
			o.pass(a, 0, o.watermark(partition))
		}
	}
}
