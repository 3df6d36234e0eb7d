package sql_test

import (
	"cmp"
	_ "embed"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/checklist"
)

//go:embed checklist.yaml
var definition string

// world is accounts that live, as activation lets them: what arrives is folded, and what is due by the watermark happens first.
type world struct {
	t         *testing.T
	engine    *account.Engine
	folder    *account.Folder
	companies []*company
	accounts  []*account.State // of the companies; nil: nothing is known
	coming    [][]arrival      // by the day on which it arrives
	from      int64            // when the first day begins
	eventTime int64
	watermark int64
	now       int64
	offset    int64
	told      func(*account.Fact)
}

// disorder is by how much events come out of order without being late; ms.
const disorder = 6 * hour

func newWorld(t *testing.T, accounts, days int, from int64, told func(*account.Fact)) *world {
	w := &world{t: t, accounts: make([]*account.State, accounts), coming: make([][]arrival, days), from: from, told: told}
	for i := range accounts {
		w.companies = append(w.companies, newCompany(1, i, days))
	}
	w.under(definition)
	return w
}

// harder is another definition, by which some PQLs are none.
func harder() string {
	return strings.NewReplacer("version: 7", "version: 8", "at_least: 4, within: 5d", "at_least: 6, within: 3d", "at_least: 2, within: 7d", "at_least: 3, within: 7d").Replace(definition)
}

// under has the accounts live by a definition from now on.
func (w *world) under(definition string) {
	parsed, err := checklist.Parse([]byte(definition))
	require.NoError(w.t, err)
	compiled, err := checklist.Compile(parsed)
	require.NoError(w.t, err)
	w.engine = account.NewEngine(compiled)
	w.folder = w.engine.Folder()
	for i, s := range w.accounts {
		if s == nil {
			continue
		}
		encoded, err := s.AppendBinary(nil)
		require.NoError(w.t, err)
		w.accounts[i], err = w.engine.Load(w.companies[i].id, encoded)
		require.NoError(w.t, err)
	}
}

// arrive takes note of what will arrive. What comes after the last day is not seen.
func (w *world) arrive(a arrival) {
	if date := int((a.at - w.from) / day); date < len(w.coming) {
		w.coming[date] = append(w.coming[date], a)
	}
}

// live lets a day pass, hour by hour; each ends with what time alone does.
func (w *world) live(date int, hourly func()) {
	begin := w.from + int64(date)*day
	for _, c := range w.companies {
		c.live(date, begin, w.arrive)
	}
	for h := range int64(24) {
		w.hour(date, begin+(h+1)*hour)
		hourly()
	}
}

func (w *world) hour(date int, end int64) {
	for {
		due := w.coming[date]
		slices.SortFunc(due, func(a, b arrival) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.to, b.to)) })
		n, _ := slices.BinarySearchFunc(due, end, func(a arrival, end int64) int { return cmp.Compare(a.at, end) })
		if n == 0 {
			break // and what has been done has led to nothing more within the hour
		}
		w.coming[date] = slices.Clone(due[n:])
		for i := range due[:n] {
			w.take(&due[i])
		}
	}
	w.now = end
	for i := range w.accounts {
		w.pass(i)
	}
}

// take takes in what arrives.
func (w *world) take(a *arrival) {
	w.now = max(w.now, a.at)
	m := account.Message{To: w.companies[a.to].id, Event: a.event}
	at := int64(0)
	if a.request != nil {
		m, at = *a.request, a.request.At
	} else {
		at = a.event.OccurredAt
	}
	w.eventTime = max(w.eventTime, at)
	w.watermark = max(0, w.eventTime-disorder)
	for next := &m; next != nil; {
		next = w.answer(next)
	}
}

func (w *world) answer(m *account.Message) (on *account.Message) {
	to := number(m.To)
	w.pass(to)
	w.offset++
	m.Position = account.Position{Topic: "usage", Offset: w.offset}
	if m.Asks == account.ToFold {
		if m.Listener = w.engine.Checklist().Listener(m.Event.Name); m.Listener == nil {
			w.t.Fatalf("nothing listens to %s", m.Event.Name)
		}
		m.Source = source(m.Position)
	}
	m.Watermark, m.Expires = w.watermark, w.now+7*day
	s := w.accounts[to]
	if s == nil {
		s = w.engine.New(m.To, w.offset)
	}
	a, err := w.folder.Answer(s, m)
	require.NoError(w.t, err)
	if a.Changed {
		w.accounts[to] = s
	}
	w.tell(a.Facts)
	return a.Send
}

// pass lets time pass for an account.
func (w *world) pass(i int) {
	s := w.accounts[i]
	if s == nil {
		return
	}
	for due := s.NextTimer(); due != 0 && due <= w.watermark; due = s.NextTimer() {
		if s.Expired(w.watermark) {
			w.accounts[i] = nil
			return
		}
		_, facts := w.folder.Pass(s, w.watermark)
		w.tell(facts)
	}
}

func (w *world) tell(facts []account.Fact) {
	for i := range facts {
		f := &facts[i]
		w.companies[number(f.AccountID)].react(f, w.now, w.arrive)
		w.told(f)
	}
}

// number is that of an account's company.
func number(id string) (n int) {
	for _, digit := range id[len("acct-"):] {
		n = 10*n + int(digit-'0')
	}
	return n
}

type source account.Position

func (s source) Position() account.Position { return account.Position(s) }
func (s source) Watermark() int64           { return 0 }
