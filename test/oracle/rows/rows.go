// Package rows computes what pql.metrics has to hold, from the facts on pql.lifecycle alone, by docs/metrics.md: a plain loop that keeps
// everything and computes all of it anew. It shares no code with package rollup. What is never corrected any more it does not know: all windows
// can still be.
package rows

import "time"

// Fact is what metrics read of a fact of pql.lifecycle.
type Fact struct {
	Account, Type, Reason, Step, Tier string
	At, SignedUpAt                    int64 // ms; no sign-up: 0
	Rate                              float64
	HoldOut, Excluded                 bool
}

// Settings are those of the metrics. Groups of a grouping are told by its function.
type Settings struct {
	Zones                 []*time.Location
	Units                 []string
	Groupings             map[string]func(*Fact) string
	CohortDays, PaidDays  []int
	Lateness, Restatement time.Duration
}

// Key is what a row is of.
type Key struct {
	Metric, Detail string
	Place
}

// Place is a window of a group.
type Place struct {
	Grouping, Group, Unit, Zone string
	Start                       int64 // ms
}

// Row is the columns of numbers, by name: of truths 0 or 1. What is unknown is not there.
type Row map[string]float64

// Of returns the rows that there have to be once the watermark is so far. Of each account the facts are in their order.
func Of(facts []Fact, s *Settings, watermark int64) map[Key]Row {
	b := &book{Settings: s, watermark: watermark, windows: map[Place]*window{}, steps: map[string]bool{}, rows: map[Key]Row{}}
	lives := map[string][]Fact{}
	for _, f := range facts {
		lives[f.Account] = append(lives[f.Account], f)
		if f.Type == "step_done" {
			b.steps[f.Step] = true
		}
	}
	for _, life := range lives {
		b.account(counting(life))
	}
	b.standing()
	for at, w := range b.windows {
		if at.Start <= watermark {
			b.shares(at, w)
			b.durations(at, w)
			b.sales(at, w)
		}
	}
	return b.rows
}

// counting returns those of an account's facts that count: none of an excluded account, none up to a merge or an erasure.
func counting(life []Fact) []Fact {
	for i := len(life) - 1; i >= 0; i-- {
		if life[i].Type == "merged" || life[i].Type == "erased" {
			life = life[i+1:]
			break
		}
	}
	if len(life) > 0 && life[len(life)-1].Excluded {
		return nil
	}
	return life
}

// book is what has happened, and the rows that this makes.
type book struct {
	*Settings
	watermark int64
	windows   map[Place]*window
	steps     map[string]bool
	rows      map[Key]Row
}

// window is what has happened in a window of a group.
type window struct {
	end       int64
	flows     map[string]int // comings and goings, by column
	toPQL     []int64        // how long those took that came for the first time, sign-up known
	unknown   int            // those of which it is not
	qualified []qualified
	signedUp  []member
	said      map[string]int
}

// qualified is an account that qualified in the window, signed up one that signed up in it. A time that is not there is never.
type qualified struct {
	held bool
	paid int64 // after it qualified
}

type member struct {
	held        bool
	first, paid int64 // after sign-up
	tenth       int
	steps       map[string]int64
}

const (
	never = int64(1) << 60
	dayMs = int64(24 * time.Hour / time.Millisecond)
)

// bounds returns the window that holds a moment. The zone's clocks are not changed by less than an hour.
func bounds(unit string, zone *time.Location, ms int64) (start, end int64) {
	at := time.UnixMilli(ms).In(zone)
	y, m, d := at.Date()
	midnight := func(months, days int) int64 {
		return time.Date(y, m+time.Month(months), d+days, 0, 0, 0, 0, zone).UnixMilli()
	}
	switch unit {
	case "hour":
		into := int64(at.Minute())*60_000 + int64(at.Second())*1000 + ms%1000
		return ms - into, ms - into + 3_600_000
	case "day":
		return midnight(0, 0), midnight(0, 1)
	case "week":
		monday := -(int(at.Weekday()) + 6) % 7
		return midnight(0, monday), midnight(0, monday+7)
	}
	return midnight(0, 1-d), midnight(1, 1-d)
}
