//go:build slow

package page

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/pqlstream/pqlstream/pkg/inspect"
	"github.com/pqlstream/pqlstream/pkg/report"
	"github.com/pqlstream/pqlstream/pkg/report/reporttest"
)

const (
	second = int64(1000)
	minute = 60 * second
	hour   = 60 * minute
	day    = 24 * hour
)

// evil is an account whose name and properties are markup, an address and a formula.
const evil = `<img src=x onerror=alert(1)>/?a=b#c%20&amp;"'`

var (
	steps      = []string{"first_project", "invited_team", "weekly_habit", "heavy_reports", "much_storage", "saw_premium"}
	thresholds = map[string]float64{"large": 0.35, "medium": 0.6, "small": 0.75}
	needs      = map[string]string{
		"first_project": "project_created", "invited_team": "1 more user with invite_accepted (2 of 3)", "weekly_habit": "1 more day with session_started within 7 days (2 of 3)",
		"heavy_reports": "4 more report_run within 7 days (1 of 5)", "much_storage": "12 more of storage_used (28 of 40)", "saw_premium": "premium_viewed or upgrade_clicked",
	}
	progress  = map[string]float64{"invited_team": 2.0 / 3, "weekly_habit": 2.0 / 3, "heavy_reports": 0.2, "much_storage": 0.7}
	companies = []string{"northwind", "acme", "globex", "initech", "umbra", "hooli", "stark", "wayne", "tyrell", "cyberdyne", "aperture", "soylent", "wonka", "oscorp", "monarch", "vandelay"}
	people    = []string{"mia", "jonas", "aylin", "tomas", "ines", "kofi", "lena", "ravi"}
	playbooks = map[string]*inspect.Playbook{
		"large": {
			Name: "manual-outreach", Action: "An account executive writes to the most active user within a day and offers a workshop.", Queue: "sales", Owner: "dana@ourcompany.example",
			Message: "outreach.large", Reason: "Large companies buy through people; early signs of use are enough to start talking",
		},
		"medium": {
			Name: "guided-trial", Action: "Customer success offers a guided trial of the paid plan for the whole team.", Queue: "success",
			Reason: "A team uses the product together and has a budget, but wants to see it work for them",
		},
		"small": {
			Name: "in-app-nudge", Action: "Show the upgrade page with what they use most, and mail the offer.", Queue: "lifecycle", Message: "nudge.small",
			Reason: "Small companies buy by themselves once they are about to outgrow the free plan",
		},
	}
)

// makeRows makes up accounts, the one that changed last first. The first qualified an hour ago, the others before it.
func makeRows(n int) []inspect.Row {
	base := reporttest.AsOf.UnixMilli()
	random := rand.New(rand.NewPCG(3, 1))
	rows := make([]inspect.Row, n)
	pqls := int64(0)
	for i := range rows {
		tier := []string{"large", "medium", "small", "small", "medium"}[random.IntN(5)]
		order := random.Perm(len(steps))
		done := random.IntN(len(steps) + 1)
		if i < 24 {
			done = max(done, 4)
		}
		r := inspect.Row{
			AccountID: fmt.Sprintf("%s-%04d", companies[random.IntN(len(companies))], i), Tier: tier, Threshold: thresholds[tier], Rate: float64(done) / float64(len(steps)),
			ChangedAt: base - int64(i)*11*minute, Segments: []string{}, StepsDone: []string{}, StepsMissing: []string{}, SingleUser: i%7 == 3, HoldOut: i%20 == 19,
		}
		signedUp := r.ChangedAt - 2*day - random.Int64N(12*day)
		r.SignedUpAt = &signedUp
		for at, s := range order {
			if at < done {
				r.StepsDone = append(r.StepsDone, steps[s])
			} else {
				r.StepsMissing = append(r.StepsMissing, steps[s])
			}
		}
		if tier == "large" {
			r.Segments = append(r.Segments, "enterprise")
		}
		if done > 0 {
			r.Champion = fmt.Sprintf("%s@%s.example", people[i%len(people)], r.AccountID)
		}
		if r.Rate >= r.Threshold {
			at := base - hour - pqls*80*minute
			pqls++
			r.QualifiedAt = &at
			r.Current, r.Converted = i%9 != 8, i%9 == 8
			if r.Current {
				r.Playbook = playbooks[tier]
			}
		}
		rows[i] = r
	}
	return rows
}

// explain tells more of an account, by what its row has.
func explain(r *inspect.Row) *inspect.Account {
	a := &inspect.Account{
		AccountID: r.AccountID, Current: r.Current, Converted: r.Converted, Escalated: r.Rate > 0.9, HoldOut: r.HoldOut, Tier: r.Tier, Rate: r.Rate, Threshold: r.Threshold,
		TierBy: map[string]any{"company_size": 640}, SignedUpAt: r.SignedUpAt, QualifiedAt: r.QualifiedAt, Segments: r.Segments,
		Properties: map[string]any{"company_size": 640, "domain": "northwind.example", "industry": "logistics", "plan": "free", "is_test": false},
		Checklist:  inspect.Checklist{Name: "demo", Version: 1, Hash: "5f2c0e7a9b1d4c3e8f60a1b2c3d4e5f6"}, StepsDone: []inspect.Done{}, StepsMissing: []inspect.Missing{},
		Nearest: []string{}, Playbook: r.Playbook, ActiveUsers7d: 6, ActivatedUsers: 2, Champion: r.Champion, SingleUser: r.SingleUser,
	}
	a.History = append(a.History, inspect.Moment{Type: "signed_up", OccurredAt: *r.SignedUpAt})
	step := (r.ChangedAt - *r.SignedUpAt) / int64(len(r.StepsDone)+1)
	qualified := false
	for i, id := range r.StepsDone {
		at := *r.SignedUpAt + int64(i+1)*step
		user := fmt.Sprintf("%s@%s.example", people[i%len(people)], r.AccountID)
		a.StepsDone = append(a.StepsDone, inspect.Done{
			ID: id, Weight: 1, DoneAt: at, UserID: user, EventID: fmt.Sprintf("evt-%d-%s", i, id), Topic: "usage", Partition: int32(i % 4), Offset: 81_000 + int64(i)*17, Count: float64(i + 1),
		})
		a.History = append(a.History, inspect.Moment{Type: "step_done", Step: id, OccurredAt: at})
		if !qualified && float64(i+1)/float64(len(steps)) >= r.Threshold {
			qualified = true
			a.History = append(a.History, inspect.Moment{Type: "qualified", OccurredAt: at})
		}
	}
	for _, id := range r.StepsMissing {
		a.StepsMissing = append(a.StepsMissing, inspect.Missing{ID: id, Weight: 1, Progress: progress[id], Need: needs[id]})
	}
	if !qualified && len(r.StepsMissing) > 0 {
		a.Nearest = r.StepsMissing[:1]
	}
	if r.Champion != "" {
		a.Users = append(a.Users, inspect.User{ID: r.Champion, Events: 214, LastSeen: r.ChangedAt, StepsDone: len(r.StepsDone), Rate: r.Rate, Activated: r.Rate >= r.Threshold, Role: "admin"})
	}
	for i, name := range people[:3] {
		a.Users = append(a.Users, inspect.User{ID: name + "@team.example", Events: int64(90 - 20*i), LastSeen: r.ChangedAt - int64(i)*9*hour, StepsDone: 2 - i/2, Rate: float64(2-i/2) / 6})
	}
	return a
}

// factOf is what is told as an account qualifies.
func factOf(r *inspect.Row) map[string]any {
	a := explain(r)
	playbook := inspect.Playbook{}
	if r.Playbook != nil {
		playbook = *r.Playbook
	}
	return map[string]any{
		"pql_id": "0f8b7a3e-54f1-5c8e-9d27-5a2b7f0e6c11", "type": "qualified", "account_id": r.AccountID, "occurred_at": *r.QualifiedAt, "detected_at": *r.QualifiedAt, "current": true,
		"reason": "", "tier": r.Tier, "rate": r.Rate, "threshold": r.Threshold, "account_properties": a.Properties, "segments": r.Segments, "checklist": a.Checklist, "step": "",
		"cause": "event", "event_id": "evt-9", "event": "report_run", "user_id": r.Champion, "source_topic": "usage", "source_partition": 1, "source_offset": 812,
		"steps_done": a.StepsDone, "steps_missing": a.StepsMissing, "playbook": playbook, "users": a.Users, "active_users_7d": 6, "activated_users": 2, "champion": r.Champion,
		"single_user": r.SingleUser, "late": false, "replay": false, "backfill": false, "hold_out": false, "excluded": false, "detail": "", "signed_up_at": r.SignedUpAt,
		"qualified_at": r.QualifiedAt, "related": "", "partly_erased": false,
	}
}

func (f *fake) catalog() map[string]any {
	infos := []map[string]string{}
	for i := range report.Metrics {
		infos = append(infos, map[string]string{"name": report.Metrics[i].Name, "title": report.Metrics[i].Title, "says": report.Metrics[i].Says})
	}
	catalog := map[string]any{
		"metrics": infos, "units": []string{"day", "week", "month"}, "zones": []string{"UTC", "Europe/Berlin"}, "north_star": nil,
		"groupings": []map[string]any{{"name": "", "groups": []string{""}}, {"name": "tier", "groups": f.groups}},
	}
	if f.star {
		newest := f.newestClosed("pql_rate", "14d")
		catalog["north_star"] = map[string]any{
			"metric": "pql_rate", "detail": "14d", "unit": "week", "zone": "UTC", "grouping": "", "group": "", "field": "rate", "low": 0.25, "high": nil,
			"value": newest.Rate, "window_start": newest.WindowStart, "within": *newest.Rate >= 0.25,
		}
	}
	return catalog
}

// find returns rows of weeks in UTC of all accounts, or of a tier, the oldest first.
func (f *fake) find(metric, detail, tier string) []metricRow {
	found := slices.DeleteFunc(slices.Clone(f.metrics), func(m metricRow) bool {
		return m.Metric != metric || m.Detail != detail || m.Unit != "week" || m.Zone != "UTC" || m.Group != tier || (m.Grouping == "") != (tier == "")
	})
	slices.SortFunc(found, func(a, b metricRow) int { return int((a.WindowStart - b.WindowStart) / second) })
	return found
}

func (f *fake) newestClosed(metric, detail string) metricRow {
	rows := f.find(metric, detail, "")
	return rows[slices.IndexFunc(rows, func(m metricRow) bool { return !m.Mature })-1]
}

func sampleChecklist() map[string]any {
	all, tiers := []map[string]any{}, []map[string]any{}
	for _, id := range steps {
		all = append(all, map[string]any{"id": id, "kind": "event", "weight": 1})
	}
	for _, name := range []string{"large", "medium", "small"} {
		tiers = append(tiers, map[string]any{"name": name, "threshold": thresholds[name], "escalate_at": nil, "playbook": playbooks[name].Name})
	}
	return map[string]any{"name": "demo", "version": 1, "hash": "5f2c0e7a9b1d4c3e8f60a1b2c3d4e5f6", "definition": "version: 1\nname: demo\n", "tiers": tiers, "steps": all}
}

func sampleStatus() map[string]any {
	base := reporttest.AsOf.UnixMilli()
	stage := func(name, topic string, lag int64, cached int) map[string]any {
		tasks := []map[string]any{}
		total := int64(0)
		for p := range int64(4) {
			task := map[string]any{"topic": topic, "partition": p, "waiting_for": "", "watermark": base - (p+1)*9*second, "lag": lag * p, "held_by": nil}
			if name == "activation" && p == 3 {
				task["held_by"] = map[string]any{"topic": "usage", "partition": 2}
			}
			if name == "rollup" && p == 0 {
				task["watermark"], task["waiting_for"] = nil, "its first mark of time"
			}
			total += lag * p
			tasks = append(tasks, task)
		}
		return map[string]any{"stage": name, "partitions": 4, "waiting": 0, "lag": total, "mirror_backlog": 1, "cached": cached, "tasks": tasks}
	}
	return map[string]any{
		"version": "v1.0.0", "instance": "pqlstream-0", "ready": false, "waiting": []map[string]any{{"name": "rollup/0", "waiting_for": "its first mark of time"}},
		"started_at": base - 3*day - 4*hour,
		"stages":     []map[string]any{stage("ingest", "usage", 40, 0), stage("activation", "pql.usage", 128, 48_211), stage("measure", "pql.facts", 3, 3_901), stage("rollup", "pql.rollup", 0, 214)},
	}
}
