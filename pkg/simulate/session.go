package simulate

import (
	"encoding/hex"
	"math/rand/v2"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

// session is one person's visit: it begins, wanders through pages and does a few things in between.
func (a *account) session(user string, at int64) {
	rng, b := a.rng, a.behaviour
	a.emit(user, "session_started", at, 0, text("device", pick(rng, devices)))
	if a.projects == 0 && rng.Float64() < 0.6 {
		at += minuteMs + rng.Int64N(10*minuteMs)
		a.createProject(user, at)
	}
	for range 2 + rng.IntN(6) {
		at += 10*secondMs + rng.Int64N(4*minuteMs)
		a.act(user, at)
	}
	if a.invited < a.team && rng.Float64() < b.team {
		for range 1 + rng.IntN(3) {
			at += 5*secondMs + rng.Int64N(minuteMs)
			a.invite(user, at)
		}
	}
	if a.subscribed == "" && rng.Float64() < b.premium {
		a.consider(user, at+10*secondMs+rng.Int64N(5*minuteMs))
	}
}

// act is one thing that a person does; half of it says nothing but that a page was seen.
func (a *account) act(user string, at int64) {
	rng, b := a.rng, a.behaviour
	x := rng.Float64()
	switch {
	case x < b.reports:
		a.emit(user, "report_run", at, 0, text("report", pick(rng, reportNames)),
			usage.Property{Key: "rows", Value: usage.LongValue(rng.Int64N(50_000))},
			usage.Property{Key: "seconds", Value: usage.DoubleValue(float64(rng.IntN(400)) / 16)})
	case x < b.reports+0.10:
		// Quarters of a GB: their sums are exact whatever the order.
		gb := float64(1+rng.IntN(int(8*b.storage))) / 4
		a.emit(user, "storage_used", at, gb, text("unit", "GB"))
	case x < b.reports+0.13:
		a.createProject(user, at)
	case x < b.reports+0.14:
		a.emit(user, "integration_connected", at, 0, text("integration", pick(rng, integrations)))
	default:
		a.emit(user, "page_viewed", at, 0, text("path", pick(rng, pages)), usage.Property{Key: "referrer"})
	}
}

func (a *account) createProject(user string, at int64) {
	a.projects++
	a.emit(user, "project_created", at, 0,
		usage.Property{Key: "number", Value: usage.LongValue(int64(a.projects))},
		usage.Property{Key: "from_template", Value: usage.BoolValue(a.rng.Float64() < 0.5)})
}

// invite sends an invitation; two of three are accepted, most within a day.
func (a *account) invite(user string, at int64) {
	invitee := a.user(a.invited)
	a.invited++
	a.emit(user, "invite_sent", at, 0, text("invitee", invitee))
	if a.rng.Float64() < 0.67 {
		a.joining = append(a.joining, joining{user: invitee, at: at + 10*minuteMs + int64(a.rng.ExpFloat64()*float64(16*hourMs))})
	}
}

// consider is a look at a feature that costs; some go on to the prices.
func (a *account) consider(user string, at int64) {
	a.emit(user, "premium_viewed", at, 0, text("feature", pick(a.rng, features)))
	if a.rng.Float64() < 0.2 {
		a.upgradeAt = at + 10*secondMs
		a.emit(user, "upgrade_clicked", a.upgradeAt, 0, text("plan", pick(a.rng, plans)))
	}
}

// ids makes event ids that look like random UUIDs.
type ids struct{ rng *rand.Rand }

func (g ids) next() string {
	var raw [16]byte
	for i := 0; i < len(raw); i += 8 {
		x := g.rng.Uint64()
		for j := range 8 {
			raw[i+j] = byte(x >> (8 * j))
		}
	}
	raw[6], raw[8] = raw[6]&0x0f|0x40, raw[8]&0x3f|0x80
	var id [36]byte
	for _, part := range [...]struct{ at, from, to int }{{0, 0, 4}, {9, 4, 6}, {14, 6, 8}, {19, 8, 10}, {24, 10, 16}} {
		hex.Encode(id[part.at:], raw[part.from:part.to])
	}
	id[8], id[13], id[18], id[23] = '-', '-', '-', '-'
	return string(id[:])
}
