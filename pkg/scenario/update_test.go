package scenario

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// invented returns a scenario file of events at random, with expectations that are mostly wrong.
func invented(r *rand.Rand) string {
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	var b strings.Builder
	fmt.Fprintf(&b, "checklist: x\nstart: 2026-03-27 %s\ndisorder: %s\n", pick("09:00 Europe/Berlin", "00:00", "America/New_York"), pick("5m", "0m", "2d"))
	if r.IntN(4) == 0 {
		b.WriteString("show: " + pick("qualified", "step_done signed_up", "converted qualified") + "\n")
	}
	if r.IntN(2) == 0 {
		b.WriteString("metrics:\n  zones: [Europe/Berlin, UTC]\n  groupings: [[], [tier]]\n  max_groups: 1\n")
	}
	for n := range 1 + r.IntN(3) {
		latest, came := 0, []string{}
		ids := []string{"acme", "other", "n1"}
		fmt.Fprintf(&b, "scenario: number %d # comment\n", n)
		for range 1 + r.IntN(15) {
			indent := pick("", "\t", "  ", "    ")
			what := r.IntN(9)
			if what == 1 && len(came) == 0 {
				what = 0
			}
			switch what {
			case 0:
				fmt.Fprintf(&b, " %s+%dd  %s\n", indent, latest, pick("time passes", "time passes", "checklist y"))
			case 1:
				fmt.Fprintf(&b, " %scheck %s %s%s\n", indent, pick(came...), pick("", words(ofStandings)[0]+" x", "rate 75.000%  pql", "done - # why"), pick("", " # c"))
				continue
			case 2:
				r.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
				fmt.Fprintf(&b, " %s+%dd  %s\n", indent, latest, pick("merge "+ids[0]+" into "+ids[1], "erase account "+ids[2], "erase user ana"))
			case 3:
				fmt.Fprintf(&b, " %smetric %s %s%s\n", indent, pick("pqls day +3d", "pqls day +1d tier=small", "pqls week +2d in UTC", "pql_rate 7d day +2d other of tier", "time_to_pql week +0d",
					"funnel a week +0d", "other_groups of tier", "hold_out 7d month 2026-03", "activation_rate 20 week +3d"),
					pick("", "  no row", " raw 1 inflow  2", " count 1 mean 2h p50 1h", " numerator 1 rate 20.00%  mature", " restated late mature_at -"), pick("", " # c"))
				continue
			default:
				day, account := r.IntN(12), pick("acme", "other", "n{n}", "-")
				latest = max(latest, day+5) // after all repetitions
				user := pick("-", "ana", "u{n}")
				switch account {
				case "-":
					user = "ana"
				case "acme", "other":
					came = append(came, account)
				}
				fmt.Fprintf(&b, " %s+%dd %02d:%02d %s %s %s %s %s\n", indent, day, 4+r.IntN(20), r.IntN(60), account, user,
					pick("account_created", "a", "b", "c", "d", "bought"), pick("", "company_size=60", "domain=ours.test", "@id=e"),
					pick("", "", "x3", "x4 daily", "every 3h x10"))
			}
			for range r.IntN(3) {
				fmt.Fprintf(&b, "%s=> %s%s\n", indent, pick("signed_up", "step_done a", "step_done b", "qualified", "converted", "disqualified"),
					pick("", " rate 25%", " late", " account acme", " tier  large   rate 1%  # c", " at +1d", " event e playbook -"))
				if r.IntN(4) == 0 {
					b.WriteString("\n# in between\n")
				}
			}
		}
	}
	return b.String()
}

func TestWhatWasUpdatedPassesAndStays(t *testing.T) {
	for seed := range uint64(120) {
		text := invented(rand.New(rand.NewPCG(seed, 1)))
		first := updated(t, text)
		require.Empty(t, diffs(t, first), "seed %d:\n%s\nupdated:\n%s", seed, text, first)
		require.Equal(t, first, updated(t, first), "seed %d", seed)
		require.Equal(t, strings.Count(text, "# in between"), strings.Count(first, "# in between"), "seed %d", seed)
	}
}

func TestWhatIsRightIsNotTouched(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 2))
		right := updated(t, invented(r))
		lines := strings.Split(right, "\n")
		var bare []string
		for _, line := range lines {
			if !strings.HasPrefix(strings.TrimSpace(line), arrow) {
				bare = append(bare, line)
			}
		}
		stripped := strings.Join(bare, "\n")
		require.Equal(t, strings.Count(right, arrow), strings.Count(updated(t, stripped), arrow), "seed %d: as many come again", seed)
	}
}

func TestOnlyScenariosThatWereRunAreUpdated(t *testing.T) {
	f := parsed(t, "checklist: x\nscenario: one\n +0d acme ana a\nscenario: two\n +0d acme ana a\n")
	assert.Equal(t, "checklist: x\nscenario: one\n +0d acme ana a\nscenario: two\n +0d acme ana a\n   => active\n   => step_done a rate 25%\n",
		string(f.Update([]*Result{f.Run(f.Scenarios[1])})))
}

func FuzzFile(f *testing.F) {
	for seed := range uint64(5) {
		f.Add(invented(rand.New(rand.NewPCG(seed, 3))))
	}
	f.Add("checklist: x\nhold: 1h 1\nscenario: s\n +0d - ana a x2\n +0d merge a into b\n +0d b ana a\n +0d merge b into a\n +0d erase user ana\n" +
		" +0d erase account b\n +1d checklist y\n check a nothing of ana who did a - merged into - not erased\n")
	f.Add("checklist: x\nmetrics:\n  zones: [Europe/Berlin, UTC]\n  groupings: [[], [tier], [segment, tier]]\n  max_groups: 1\n  lateness: 1h\n" + strings.TrimPrefix(rated, "checklist: x\n") +
		" metric pqls hour +1d 10:00 in UTC segment=- tier=small raw 1 restated -\n metric beyond_horizon week of tier no row\n metric time_to_pql month 2026-01 mean 1h\n" +
		" metric pql_to_paid 7d day 2026-01-05T02:00+01:00 other of tier lift 1.5 difference -5% mature_at +3d p50 0.5s\n +150d time passes\n metric pqls week +1d no row\n")
	wrong, err := os.ReadFile("testdata/wrong.scenario")
	require.NoError(f, err)
	f.Add(string(wrong))
	f.Add(small)
	f.Add("checklist:\n  version: 1\n  name: x\nscenario: s\r\n +0d \"a b\" - \"\\u00e4\" k=\"x\"#\"y\"\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		file, err := Parse("x.scenario", []byte(text), reading)
		if err != nil {
			return
		}
		n := 0
		for _, s := range file.Scenarios {
			for _, st := range s.statements {
				n += len(st.events)
				for i := range st.wants {
					rereads(t, file, st, &st.wants[i])
				}
			}
		}
		if n > 2000 {
			return
		}
		first := file.Update(ran(file))
		again, err := Parse("x.scenario", first, reading)
		require.NoError(t, err, "%q", first)
		results := ran(again)
		for _, r := range results {
			require.True(t, r.Passed(), "%q\n%s", first, r.text())
		}
		require.Equal(t, string(first), string(again.Update(results)))
	})
}

// rereads says of each attribute that it is read as it is written.
func rereads(t *testing.T, f *File, st *statement, w *want) {
	here := ofTransitions
	switch st.kind {
	case check:
		here = ofStandings
	case rowIs:
		here = ofRows
	}
	for i := range w.attributes {
		a := &w.attributes[i]
		written := a.say(a.value, f.clock)
		tokens, err := scan(written, 0)
		require.NoError(t, err, written)
		read, err := readAttributes(tokens, here, f.clock)
		require.NoError(t, err, written)
		require.Len(t, read, 1, written)
		require.Equal(t, a.spec, read[0].spec)
		require.Equal(t, a.name, read[0].name)
		require.True(t, a.form.same(a.value, read[0].value) && a.form.same(read[0].value, a.value), written)
	}
}
