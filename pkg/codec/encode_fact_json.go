package codec

import "github.com/pqlstream/pqlstream/pkg/account"

func appendFactJSON(b []byte, f *account.Fact, d Detection) []byte {
	o := openObject(b)
	o.standing(f, d)
	o.evidence(f)
	o.bool("replay", d.Replay)
	o.bool("backfill", d.Backfill)
	o.bool("hold_out", f.HoldOut)
	o.bool("excluded", f.Excluded)
	o.id("detail", f.Detail)
	o.millisOrNull("signed_up_at", f.SignedUpAt)
	o.millisOrNull("qualified_at", f.QualifiedAt)
	o.id("related", f.Related)
	o.bool("partly_erased", f.PartlyErased)
	return o.end()
}

// id writes what maxIDBytes bounds.
func (o *jsonObject) id(name, v string) { o.str(name, cut(v, maxIDBytes)) }

func (o *jsonObject) text(name, v string) { o.str(name, cut(v, maxTextBytes)) }

// standing writes the fields up to checklist: what the account is now.
func (o *jsonObject) standing(f *account.Fact, d Detection) {
	o.id("pql_id", f.ID)
	o.id("type", string(f.Type))
	o.id("account_id", f.AccountID)
	o.long("occurred_at", f.OccurredAt)
	o.long("detected_at", d.DetectedAt)
	o.bool("current", f.Current)
	o.id("reason", string(f.Reason))
	o.id("tier", f.Tier)
	o.double("rate", f.Rate)
	o.double("threshold", f.Threshold)
	o.properties("account_properties", f.Properties, maxNameBytes, maxValueBytes)
	o.openArray("segments")
	for _, s := range f.Segments {
		o.separate()
		o.b = appendJSONString(o.b, cut(s, maxIDBytes))
	}
	o.closeArray()
	o.name("checklist")
	o.open()
	o.id("name", f.Checklist.Name)
	o.long("version", int64(f.Checklist.Version))
	o.id("hash", f.Checklist.Hash)
	o.close()
}

// evidence writes the fields from step to late: what made it so.
func (o *jsonObject) evidence(f *account.Fact) {
	o.str("step", cut(f.Step, maxNameBytes))
	o.id("cause", string(f.Cause))
	o.id("event_id", f.EventID)
	o.id("event", f.EventName)
	o.id("user_id", f.UserID)
	o.position(f.Position)
	o.steps(f)
	o.name("playbook")
	o.open()
	o.text("name", f.Playbook.Name)
	o.text("action", f.Playbook.Action)
	o.text("queue", f.Playbook.Queue)
	o.text("owner", f.Playbook.Owner)
	o.text("message", f.Playbook.Message)
	o.text("reason", f.Playbook.Reason)
	o.close()
	o.openArray("users")
	for i := range f.Users {
		o.openItem()
		u := &f.Users[i]
		o.id("id", u.ID)
		o.long("events", u.Events)
		o.long("last_seen", u.LastSeen)
		o.long("steps_done", int64(u.StepsDone))
		o.double("rate", u.Rate)
		o.bool("activated", u.Activated)
		o.id("role", u.Role)
		o.close()
	}
	o.closeArray()
	o.long("active_users_7d", int64(f.ActiveUsers7d))
	o.long("activated_users", int64(f.Activated))
	o.id("champion", f.Champion)
	o.bool("single_user", f.SingleUser)
	o.bool("late", f.Late)
}

func (o *jsonObject) steps(f *account.Fact) {
	o.openArray("steps_done")
	for i := range f.StepsDone {
		o.openItem()
		done := &f.StepsDone[i]
		o.str("id", cut(done.Step, maxNameBytes))
		o.long("done_at", done.DoneAt)
		o.id("user_id", done.UserID)
		o.id("event_id", done.EventID)
		o.position(done.Position)
		o.double("count", done.Count)
		o.close()
	}
	o.closeArray()
	o.openArray("steps_missing")
	for i := range f.StepsMissing {
		o.openItem()
		missing := &f.StepsMissing[i]
		o.str("id", cut(missing.Step, maxNameBytes))
		o.double("progress", missing.Progress)
		o.id("need", missing.Need)
		o.close()
	}
	o.closeArray()
}

func (o *jsonObject) position(p account.Position) {
	o.id("source_topic", p.Topic)
	o.long("source_partition", int64(p.Partition))
	o.long("source_offset", p.Offset)
}
