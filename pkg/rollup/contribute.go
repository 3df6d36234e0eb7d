package rollup

// What an account contributes. Each function gives a part of it n times: 1 gives, -1 takes back. The parts are those that change
// together; a change takes a part back, changes the life, and gives the part anew.

// all gives everything that a life contributes.
func (m *Measure) all(n int64) {
	l := &m.life
	if l.excluded {
		return
	}
	m.cohort(n)
	m.outcome(n)
	for i := range l.steps {
		m.step(&l.steps[i], n)
	}
	for i := range l.moves {
		m.move(i, n)
		m.sinceSignUp(i, n)
		m.account(i, n)
		m.payment(i, n)
	}
	for i := range l.sayings {
		s := &l.sayings[i]
		m.add(s.moment, Cell{Kind: Feedback, Name: s.what}, n)
	}
}

// cohort gives that the account has signed up, and how far it is.
func (m *Measure) cohort(n int64) {
	l := &m.life
	if l.signedUp.place == 0 {
		return
	}
	m.add(l.signedUp, Cell{Kind: SignedUp}, n)
	if l.held {
		m.add(l.signedUp, Cell{Kind: HeldSignedUp}, n)
	}
	m.tenths(n)
}

func (m *Measure) tenths(n int64) {
	if l := &m.life; l.signedUp.place > 0 {
		m.add(l.signedUp, Cell{Kind: Rate, Number: int32(l.rate)}, n)
	}
}

// outcome gives what has become of an account since its sign-up.
func (m *Measure) outcome(n int64) {
	l := &m.life
	if l.signedUp.place == 0 {
		return
	}
	paid := l.everPaid && !l.held && within(l.paid-l.signedUp.at, m.horizon)
	if paid {
		m.add(l.signedUp, Cell{Kind: PaidSince}, n)
	}
	if !l.everQualified {
		return
	}
	took := max(0, l.first-l.signedUp.at)
	m.duration(l.signedUp, Cell{Kind: CohortTimeToPQL}, CohortTimeToPQLSum, took, n)
	for _, days := range m.cohortDays {
		if !within(took, days) {
			continue
		}
		m.add(l.signedUp, Cell{Kind: QualifiedWithin, Number: days}, n)
		if l.held {
			m.add(l.signedUp, Cell{Kind: HeldQualifiedWithin, Number: days}, n)
		}
		if paid {
			m.add(l.signedUp, Cell{Kind: QualifiedPaidSince, Number: days}, n)
		}
	}
}

func within(ms int64, days int32) bool { return ms <= int64(days)*dayMillis }

// step gives that a step was done.
func (m *Measure) step(s *step, n int64) {
	if l := &m.life; l.signedUp.place > 0 {
		m.duration(l.signedUp, Cell{Kind: StepTime, Name: s.id}, StepTimeSum, max(0, s.at-l.signedUp.at), n)
	}
}

// move gives a coming or a going.
func (m *Measure) move(i int, n int64) {
	now := m.life.moves[i]
	switch now.kind {
	case qualifies:
		m.add(now.moment, Cell{Kind: In, Name: typeQualified}, n)
	case requalifies:
		m.add(now.moment, Cell{Kind: In, Name: typeRequalified}, n)
	case leaves:
		m.add(moment{now.at, m.life.moves[i-1].place}, Cell{Kind: Out, Name: now.reason}, n)
	case changes:
		if i == 0 {
			m.add(now.moment, Cell{Kind: In, Name: segmentChanged}, n)
		} else {
			m.change(now.at, m.life.moves[i-1].place, now.place, n)
		}
	}
}

// sinceSignUp gives how long it took to become a PQL for the first time, in the window of that.
func (m *Measure) sinceSignUp(i int, n int64) {
	l := &m.life
	if l.moves[i].kind != qualifies {
		return
	}
	if l.signedUp.place == 0 {
		m.add(l.moves[i].moment, Cell{Kind: SignupUnknown}, n)
		return
	}
	m.duration(l.moves[i].moment, Cell{Kind: TimeToPQL}, TimeToPQLSum, max(0, l.moves[i].at-l.signedUp.at), n)
}

// account gives that the account has qualified, once a window.
func (m *Measure) account(i int, n int64) {
	if l := &m.life; l.moves[i].kind.qualifies() {
		m.repeated = m.repeats(i)
		m.once(i, Cell{Kind: ofControl(l.moves[i].held, Accounts, HeldAccounts)}, n)
	}
}

// payment gives that the account has converted since it qualified.
func (m *Measure) payment(i int, n int64) {
	now := &m.life.moves[i]
	if !now.isPaid {
		return
	}
	m.repeated = m.repeats(i)
	took := now.paid - now.at
	for _, days := range m.paidDays {
		if within(took, days) {
			m.once(i, Cell{Kind: ofControl(now.held, Paid, HeldPaid), Number: days}, n)
		}
	}
	if !now.held {
		m.once(i, Cell{Kind: TimeToPaid, Number: BinOf(took)}, n)
		m.once(i, Cell{Kind: TimeToPaidSum}, n*took)
	}
}

func ofControl(held bool, treated, control Kind) Kind {
	if held {
		return control
	}
	return treated
}

// once gives something of a qualification, but not to the windows in which the account had qualified before.
func (m *Measure) once(i int, c Cell, n int64) {
	now := m.life.moves[i].moment
	m.add(now, c, n)
	for _, w := range m.repeated {
		m.addTo(w, now, c, -n)
	}
}

// repeats returns the windows that hold a qualification and an earlier one, by their places among all.
func (m *Measure) repeats(i int) []int {
	l, found := &m.life, m.repeated[:0]
	before, is := l.forgot, l.hasForgotten
	for j := i - 1; j >= 0; j-- {
		if l.moves[j].kind.qualifies() {
			before, is = l.moves[j].at, true
			break
		}
	}
	if !is {
		return found
	}
	for w := range m.windows {
		if start, _ := m.windows[w].At(floor(l.moves[i].at, SlotMillis)); floor(before, SlotMillis) >= start {
			found = append(found, w)
		}
	}
	return found
}

// duration gives a time that something took.
func (m *Measure) duration(at moment, bin Cell, sum Kind, ms, n int64) {
	bin.Number = BinOf(ms)
	m.add(at, bin, n)
	m.add(at, Cell{Kind: sum, Name: bin.Name}, n*ms)
}
