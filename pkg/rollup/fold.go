package rollup

import "slices"

// Fold folds an account's next fact into its history, and gathers by how much that changes what the account contributes. It
// says whether the history has changed.
func (m *Measure) Fold(h *History, f *Fact) (changed bool) {
	l := &m.life
	l.reset()
	m.placed, m.placeIDs = 0, m.placeIDs[:0]
	if !h.Empty() {
		if err := l.decode(h.b); err != nil {
			panic("a history that was made here can't be read: " + err.Error())
		}
	}
	m.why = causeOf(f)
	if f.Type == typeMerged || f.Type == typeErased {
		m.all(-1)
		changed, h.b = !h.Empty(), nil
		return changed
	}
	switch was := l.excluded; {
	case f.Excluded && !was:
		m.why = ByExclusion
		m.all(-1)
		l.excluded = true
		m.advance(f)
	case was && !f.Excluded:
		m.advance(f)
		l.excluded, m.why = false, ByExclusion
		m.all(1)
	default:
		m.advance(f)
	}
	m.encoded = l.appendBinary(m.encoded[:0])
	return h.keep(m.encoded)
}

// causeOf says what a fact corrects, if it does.
func causeOf(f *Fact) Why {
	switch {
	case f.Type == typeErased:
		return ByErasure
	case f.Type == typeMerged || f.Merge:
		return ByMerge
	case f.Late:
		return Late
	}
	return Ordinary
}

// advance makes of the life what a fact makes of it, part by part. While the account is excluded nothing is gathered.
func (m *Measure) advance(f *Fact) {
	m.learnRate(f)
	m.learnSignUp(f)
	m.stay(f)
	switch f.Type {
	case typeQualified, typeRequalified:
		m.qualify(f)
	case typeDisqualified:
		m.leave(f, f.Reason)
	case typeConverted:
		m.convert(f)
		m.leave(f, typeConverted)
	case typeStepDone:
		m.finish(f)
	default:
		if slices.Contains(sayings[:], f.Type) {
			m.hear(f)
		}
	}
}

func (m *Measure) learnRate(f *Fact) {
	tenths := uint8(max(0, min(10, f.Rate*10+1e-9))) // what weights lose in their sum must not decide
	if l := &m.life; tenths != l.rate {
		m.tenths(-1)
		l.rate = tenths
		m.tenths(1)
	}
}

// learnSignUp takes note of a sign-up, or that it was at another time: an account that was merged into this one was older.
func (m *Measure) learnSignUp(f *Fact) {
	l := &m.life
	known := l.signedUp.place > 0
	if f.SignedUpAt == 0 || known && f.SignedUpAt == l.signedUp.at {
		return
	}
	m.sinceSignUps(-1)
	if !known {
		l.signedUp.place, l.held = m.place(f), f.HoldOut
	}
	l.signedUp.at = f.SignedUpAt
	m.sinceSignUps(1)
}

// sinceSignUps gives all that the sign-up decides on.
func (m *Measure) sinceSignUps(n int64) {
	m.cohort(n)
	m.outcome(n)
	for i := range m.life.steps {
		m.step(&m.life.steps[i], n)
	}
	for i := range m.life.moves {
		m.sinceSignUp(i, n)
	}
}

// stay notes that the account is a PQL as a fact finds it: so it can't have left before, and if it is in other groups now than
// before it goes from those to these. A fact that it leaves by finds it where it was.
func (m *Measure) stay(f *Fact) {
	l := &m.life
	if !l.current() {
		return
	}
	l.stand(f.OccurredAt)
	if f.Type == typeDisqualified || f.Type == typeConverted {
		return
	}
	if place := m.place(f); place != l.moves[len(l.moves)-1].place {
		m.goes(move{moment: moment{l.standing, place}, kind: changes})
	}
}

// stand moves the time of the standing on: nothing changes it at an earlier one.
func (l *life) stand(at int64) {
	if !l.stood || at > l.standing {
		l.standing, l.stood = at, true
	}
}

func (m *Measure) qualify(f *Fact) {
	l := &m.life
	if l.current() {
		return // it is one already: the fact by which it left was not told
	}
	l.stand(f.OccurredAt)
	if !l.everQualified {
		m.outcome(-1)
		l.first, l.everQualified = l.standing, true
		m.outcome(1)
	}
	kind := qualifies
	if f.Type == typeRequalified {
		kind = requalifies
	}
	m.goes(move{moment: moment{l.standing, m.place(f)}, kind: kind, held: f.HoldOut})
}

// convert notes a conversion, for each qualification that has none since.
func (m *Measure) convert(f *Fact) {
	l := &m.life
	l.stand(f.OccurredAt)
	if !l.everPaid {
		m.outcome(-1)
		l.paid, l.everPaid = l.standing, true
		m.outcome(1)
	}
	for i := range l.moves {
		if now := &l.moves[i]; now.kind.qualifies() && !now.isPaid {
			now.paid, now.isPaid = l.standing, true
			m.payment(i, 1)
		}
	}
}

func (m *Measure) leave(f *Fact, why string) {
	l := &m.life
	if !l.current() {
		return // that it came was not told
	}
	if why == "" {
		why = unknownReason
	}
	m.goes(move{moment: moment{at: l.standing}, kind: leaves, reason: why})
}

// goes adds a coming or a going.
func (m *Measure) goes(now move) {
	l := &m.life
	l.moves = append(l.moves, now)
	last := len(l.moves) - 1
	m.move(last, 1)
	m.sinceSignUp(last, 1)
	m.account(last, 1)
	if len(l.moves) > maxMoves {
		m.forget()
	}
}

// forget lets the oldest coming count for good, with its going. If it went to other groups only, the account is counted as going
// and coming in those groups too in which it stayed: so what is kept begins with a coming, and has its going when it is taken back.
func (m *Measure) forget() {
	l := &m.life
	oldest, next := l.moves[0], l.moves[1]
	if oldest.kind.qualifies() {
		l.forgot, l.hasForgotten = oldest.at, true
	}
	if next.kind == leaves {
		l.moves = slices.Delete(l.moves, 0, 2)
		return
	}
	m.move(1, -1)
	m.add(moment{next.at, oldest.place}, Cell{Kind: Out, Name: segmentChanged}, 1)
	l.moves = slices.Delete(l.moves, 0, 1)
	m.move(0, 1)
}

// finish notes when a step was done first.
func (m *Measure) finish(f *Fact) {
	l := &m.life
	i := slices.IndexFunc(l.steps, func(s step) bool { return s.id == f.Step })
	switch {
	case i < 0 && len(l.steps) < maxSteps && f.Step != "":
		l.steps = append(l.steps, step{f.Step, f.OccurredAt})
		m.step(&l.steps[len(l.steps)-1], 1)
	case i >= 0 && f.OccurredAt < l.steps[i].at:
		m.step(&l.steps[i], -1)
		l.steps[i].at = f.OccurredAt
		m.step(&l.steps[i], 1)
	}
}

// hear notes what sales has said.
func (m *Measure) hear(f *Fact) {
	l := &m.life
	if len(l.sayings) == maxSayings {
		l.sayings = slices.Delete(l.sayings, 0, 1) // it counts for good
	}
	said := saying{moment{f.OccurredAt, m.place(f)}, f.Type}
	l.sayings = append(l.sayings, said)
	m.add(said.moment, Cell{Kind: Feedback, Name: said.what}, 1)
}
