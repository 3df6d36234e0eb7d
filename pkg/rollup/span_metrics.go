package rollup

import (
	"cmp"
	"slices"
	"strconv"
)

// The metrics. docs/metrics.md says what their rows hold.
const (
	MetricPQLs           = "pqls"
	MetricPQLRate        = "pql_rate"
	MetricPQLRatePeriod  = "pql_rate_period"
	MetricTimeToPQL      = "time_to_pql"
	MetricTimeToPQLSince = "time_to_pql_cohort"
	MetricPaid           = "pql_to_paid"
	MetricPaidSince      = "pql_to_paid_cohort"
	MetricHoldOut        = "hold_out"
	MetricTimeToPaid     = "time_to_paid"
	MetricFunnel         = "funnel"
	MetricActivation     = "activation_rate"
	MetricPrecision      = "precision"
	MetricAcceptance     = "sales_acceptance"
	MetricSales          = "sales"
	MetricOther          = "other_groups"
	MetricBeyond         = "beyond_horizon"
)

// spanMetric makes the rows that a metric has of a window.
type spanMetric struct {
	name  string
	kinds []Kind // that its rows are made from
	rows  func(*Span, *table)
}

// spanMetrics are those of a Span. States know them by their places: only append.
var spanMetrics = [...]spanMetric{
	{MetricPQLRate, []Kind{QualifiedWithin, SignedUp}, pqlRate},
	{MetricPQLRatePeriod, []Kind{TimeToPQL, SignedUp}, pqlRatePeriod},
	{MetricTimeToPQL, []Kind{TimeToPQL, TimeToPQLSum, SignupUnknown}, timeToPQL},
	{MetricTimeToPQLSince, []Kind{CohortTimeToPQL, CohortTimeToPQLSum}, timeToPQLSince},
	{MetricPaid, []Kind{Paid, Accounts}, paid},
	{MetricPaidSince, []Kind{PaidSince, QualifiedPaidSince, QualifiedWithin, HeldQualifiedWithin, SignedUp, HeldSignedUp}, paidSince},
	{MetricHoldOut, []Kind{Paid, Accounts, HeldPaid, HeldAccounts}, holdOut},
	{MetricTimeToPaid, []Kind{TimeToPaid, TimeToPaidSum}, timeToPaid},
	{MetricFunnel, []Kind{StepTime, StepTimeSum, SignedUp}, funnel},
	{MetricActivation, []Kind{Rate, SignedUp}, activation},
	{MetricPrecision, []Kind{TimeToPaid, Accounts}, precision},
	{MetricAcceptance, []Kind{Feedback}, acceptance},
	{MetricSales, []Kind{Feedback}, sales},
}

func (m *spanMetric) reads() (kinds uint32) {
	for _, k := range m.kinds {
		kinds |= 1 << k
	}
	return kinds
}

// n returns a counter that has no name.
func (s *Span) n(kind Kind, number int32) int64 { return s.named(Cell{Kind: kind, Number: number}) }

func (s *Span) named(cell Cell) int64 {
	s.reading(func(c Cell) bool { return c == cell })
	at, found := slices.BinarySearchFunc(s.counters, cell, func(c counted, cell Cell) int { return c.cell.compare(cell) })
	if !found {
		return 0
	}
	return s.counters[at].n
}

// durations returns the sketch of a kind that has no names, an empty one when there is none.
func (s *Span) durations(kind Kind) *sketch {
	s.reading(func(c Cell) bool { return c.Kind == kind || c.Kind == kind+1 }) // and their sum
	for i := range s.sketches {
		if s.sketches[i].kind == kind {
			return &s.sketches[i].sketch
		}
	}
	return &sketch{}
}

func daysName(n int32) string { return strconv.Itoa(int(n)) + "d" }

// pqlRate: of the accounts that signed up in the window, those that qualified within so many days.
func pqlRate(s *Span, t *table) {
	for _, days := range s.rollup.cohortDays {
		t.put(daysName(days), s.after(days), func(r *Row) { r.share(s.n(QualifiedWithin, days), s.n(SignedUp, 0)) })
	}
}

// pqlRatePeriod: accounts that qualified for the first time in the window, their sign-up known, for each that signed up in it. They need
// not be the same ones, so there is no interval, and it may be more than 1.
func pqlRatePeriod(s *Span, t *table) {
	t.put("", 0, func(r *Row) {
		first, signedUp := s.durations(TimeToPQL).count(), s.n(SignedUp, 0)
		r.Numerator, r.Denominator = some(first), some(signedUp)
		if signedUp > 0 {
			r.Rate = some(float64(first) / float64(signedUp))
		}
	})
}

// timeToPQL: how long those took from sign-up that qualified for the first time in the window.
func timeToPQL(s *Span, t *table) {
	t.put("", 0, func(r *Row) {
		s.durations(TimeToPQL).describe(r)
		r.SignupUnknown = some(s.n(SignupUnknown, 0))
	})
}

// timeToPQLSince: how long those took that signed up in the window and have qualified since.
func timeToPQLSince(s *Span, t *table) {
	t.put("", s.expiry(), func(r *Row) { s.durations(CohortTimeToPQL).describe(r) })
}

// paid: of the accounts that qualified in the window, those that converted within so many days of that.
func paid(s *Span, t *table) {
	for _, days := range s.rollup.paidDays {
		t.put(daysName(days), s.after(days), func(r *Row) { r.share(s.n(Paid, days), s.n(Accounts, 0)) })
	}
}

// paidSince: of the accounts that signed up in the window and were not held out, those that converted: among those that had
// qualified by day N, and among the others.
func paidSince(s *Span, t *table) {
	horizon := slices.Max(s.rollup.paidDays)
	for _, days := range s.rollup.cohortDays {
		t.put(daysName(days), s.after(horizon), func(r *Row) {
			all := s.n(SignedUp, 0) - s.n(HeldSignedUp, 0)
			had := s.n(QualifiedWithin, days) - s.n(HeldQualifiedWithin, days)
			hadPaid := s.n(QualifiedPaidSince, days)
			r.share(hadPaid, had)
			r.against(s.n(PaidSince, 0)-hadPaid, all-had)
		})
	}
}

// holdOut: the same as paid, against the accounts that were held out. Where there are none, there is no row.
func holdOut(s *Span, t *table) {
	for _, days := range s.rollup.paidDays {
		if s.n(HeldAccounts, 0) == 0 && s.n(HeldPaid, days) == 0 && !t.has(daysName(days)) {
			continue
		}
		t.put(daysName(days), s.after(days), func(r *Row) {
			r.share(s.n(Paid, days), s.n(Accounts, 0))
			r.against(s.n(HeldPaid, days), s.n(HeldAccounts, 0))
		})
	}
}

// timeToPaid: how long those took to convert that qualified in the window and have converted since.
func timeToPaid(s *Span, t *table) {
	t.put("", s.expiry(), func(r *Row) { s.durations(TimeToPaid).describe(r) })
}

// funnel: of the accounts that signed up in the window, those that have done a step, and how long that took. The steps stand in the order of how
// many have done them; what each loses is what the one before had.
func funnel(s *Span, t *table) {
	var steps []*named
	for i := range s.sketches {
		if s.sketches[i].kind == StepTime {
			steps = append(steps, &s.sketches[i])
		}
	}
	slices.SortStableFunc(steps, func(a, b *named) int { return cmp.Compare(b.count(), a.count()) })
	previous := s.n(SignedUp, 0)
	for i, step := range steps {
		if step.count() == 0 && !t.has(step.name) {
			continue
		}
		t.put(step.name, s.expiry(), func(r *Row) {
			s.reading(func(c Cell) bool { return c.Kind == StepTime || c.Kind == StepTimeSum && c.Name == step.name }) // others move it
			step.describe(r)
			r.share(r.Count.Value, s.n(SignedUp, 0))
			r.Position, r.Previous = some(int64(i+1)), some(previous)
		})
		previous = step.count()
	}
}

// activation: of the accounts that signed up in the window, those whose newest activation rate lies in a tenth. There are no rows of
// tenths in which none has ever been.
func activation(s *Span, t *table) {
	for tenth := range int32(11) {
		detail := strconv.Itoa(int(tenth) * 10)
		if s.n(Rate, tenth) == 0 && !t.has(detail) {
			continue
		}
		t.put(detail, s.expiry(), func(r *Row) { r.share(s.n(Rate, tenth), s.n(SignedUp, 0)) })
	}
}

// precision: of the accounts that qualified in the window, those that have converted since.
func precision(s *Span, t *table) {
	t.put("", s.expiry(), func(r *Row) { r.share(s.durations(TimeToPaid).count(), s.n(Accounts, 0)) })
}

// acceptance: of the leads that sales has answered in the window, those that it accepted.
func acceptance(s *Span, t *table) {
	t.put("", 0, func(r *Row) {
		accepted := s.named(Cell{Kind: Feedback, Name: sayings[0]})
		r.share(accepted, accepted+s.named(Cell{Kind: Feedback, Name: sayings[1]}))
	})
}

// sales: how often sales has said what in the window.
func sales(s *Span, t *table) {
	for _, what := range sayings {
		t.put(what, 0, func(r *Row) { r.Count = some(s.named(Cell{Kind: Feedback, Name: what})) })
	}
}
