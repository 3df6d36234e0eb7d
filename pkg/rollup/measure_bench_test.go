package rollup

import (
	"testing"
)

// BenchmarkMeasure is what a fact costs: to decode it, to fold it and to gather what it changes. Accounts sign up and do four steps,
// each tenth qualifies and some convert; every 20,000 facts are flushed, as a checkpoint does. Size is an account's history at its end.
func BenchmarkMeasure(b *testing.B) {
	var windows []*Windows
	for _, unit := range []Unit{Hour, Day, Week, Month} {
		w, err := NewWindows("Europe/Berlin", unit, 1)
		if err != nil {
			b.Fatal(err)
		}
		windows = append(windows, w)
	}
	m := newMeasure(b, Settings{Groupings: [][]string{{}, {"tier"}}, Windows: windows, CohortDays: []int{7, 14, 30}, PaidDays: []int{7, 30, 60, 90}})
	const accounts = 4096
	var facts [][]byte // of one account after the other, in rounds
	perAccount := 0
	for a := range accounts {
		life := benchFacts(a)
		perAccount = len(life)
		for i := range life {
			facts = append(facts, life[i].AppendBinary(nil))
		}
	}
	histories := make([]History, accounts)
	b.ReportAllocs()
	b.ResetTimer()
	var f Fact
	size, bytes := 0, 0
	for i := range b.N {
		round, account := i/accounts%perAccount, i%accounts
		if round == 0 {
			histories[account] = History{}
		}
		if err := DecodeFact(&f, facts[account*perAccount+round]); err != nil {
			b.Fatal(err)
		}
		m.Fold(&histories[account], &f)
		size = max(size, len(histories[account].b))
		if i%20_000 == 0 {
			m.Flush(func(_ string, batch []byte) { bytes += len(batch) })
		}
	}
	b.ReportMetric(float64(size), "B/account")
	b.ReportMetric(float64(bytes)/float64(b.N), "B-out/fact")
}

// benchFacts are an account's: a sign-up, four steps, and three more facts, which mean little for most.
func benchFacts(account int) []Fact {
	tier := []string{"small", "medium", "large"}[account%3]
	since := on(1, float64(account%48)/2)
	facts := []Fact{
		{Type: "signed_up"},
		{Type: "active"},
		{Type: "step_done", Step: "first_project", Rate: 0.25},
		{Type: "step_done", Step: "invited_team", Rate: 0.5},
		{Type: "step_done", Step: "weekly_habit", Rate: 0.75},
		{Type: "step_done", Step: "saw_premium", Rate: 1},
		{Type: "near_miss", Rate: 1}, {Type: "near_miss", Rate: 1},
	}
	if account%10 == 0 {
		facts[6].Type = "qualified"
	}
	if account%40 == 0 {
		facts[7].Type = "converted"
	}
	for i := range facts {
		f := &facts[i]
		f.Tier, f.SignedUpAt, f.Checklist, f.Segments = tier, since, 3, []string{"stuck"}
		f.Dimensions = []Dim{{"plan", "pro"}, {"source", "ads"}}
		f.OccurredAt = since + int64(i*i*(account%17+1)*1_700_000)
	}
	return facts
}
