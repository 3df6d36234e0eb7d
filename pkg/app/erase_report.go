package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/kafka"
)

// EraseReport says what an erasure has removed where, and until when Kafka holds what.
type EraseReport struct {
	Account string         `json:"account,omitempty"`
	User    string         `json:"user,omitempty"`
	AskedAt time.Time      `json:"asked_at"`
	Done    bool           `json:"done"`    // all that was asked for shows in Redis
	Unknown bool           `json:"unknown"` // nothing was known of it before
	Asked   []ReportTarget `json:"asked"`
	Places  []Place        `json:"places"`
}

// ReportTarget is who was asked.
type ReportTarget struct {
	Account      string `json:"account"` // empty: resolve
	Is           Role   `json:"is"`
	Done         bool   `json:"done"`
	PartlyErased bool   `json:"partly_erased"` // a count or a step done still holds what a user did, without saying who it was
	KnownAgain   bool   `json:"known_again"`   // something that came later tells of the user
}

// Place is where something was removed, or is held.
type Place struct {
	Place   string     `json:"place"`
	Name    string     `json:"name"` // of the topic, or how keys in Redis begin
	Outcome Outcome    `json:"outcome"`
	Until   *time.Time `json:"until"`   // when the last of what was there is gone, at the latest; null: it is gone, or nobody can tell
	Endless bool       `json:"endless"` // nothing says that it will ever go
	Detail  string     `json:"detail"`
	Remedy  string     `json:"remedy"` // what to do about it, if anything
}

// Outcome is what has become of what a Place held.
type Outcome string

// The outcomes.
const (
	Removed    Outcome = "removed"    // nothing can read it any more
	Replaced   Outcome = "replaced"   // the newest record of the key has nothing of it, Kafka compacts those before
	Tombstoned Outcome = "tombstoned" // the newest record of the key says that there is nothing, Kafka compacts those before
	Kept       Outcome = "kept"       // it goes with Kafka's retention
	Pending    Outcome = "asked"      // it was asked for and not seen done
	Absent     Outcome = "absent"     // there is nothing
)

// reporting makes a report.
type reporting struct {
	*Erasure
	now    time.Time
	done   bool
	keeps  map[string]kafka.Retention
	places []Place
}

// Report says what has become of what was asked for, as far as that has been seen, and asks Kafka for how long it holds the rest.
func (x *Erasure) Report(ctx context.Context) (*EraseReport, error) {
	e := x.eraser
	r := &reporting{Erasure: x, now: time.Now().UTC().Truncate(time.Second)}
	r.done = !slices.ContainsFunc(x.Targets, func(t *Target) bool { return !t.Done })
	names := e.c.TopicNames()
	topics := []string{names.ActivationChangelog, names.Current, names.ResolveChangelog, names.Usage, names.Unresolved, names.Events, names.Lifecycle,
		names.DeadLetters, names.Facts, names.MeasureChangelog}
	for i := range e.c.Input.Sources {
		topics = append(topics, e.c.Input.Sources[i].Topic)
	}
	var err error
	if r.keeps, err = kafka.NewTopics(e.producer, e.c.Kafka).Retention(ctx, topics...); err != nil {
		return nil, err
	}
	if x.User == "" {
		r.ofAccount(names)
	} else {
		r.ofUser(names)
	}
	r.logs(names)
	report := &EraseReport{Account: x.Account, User: x.User, AskedAt: x.at.UTC().Truncate(time.Second), Done: r.done, Unknown: x.Unknown, Asked: []ReportTarget{}, Places: r.places}
	for _, t := range x.Targets {
		report.Asked = append(report.Asked, ReportTarget{t.Account, t.Is, t.Done, t.PartlyErased, t.Again})
	}
	return report, nil
}

// stubFor is how much longer than the retention of what it came from something is kept by its id, at most.
const stubFor = time.Hour

func (r *reporting) ofAccount(names config.Topics) {
	stub := day(r.now.Add(kafka.UsageRetention + stubFor))
	r.add(Place{Place: "states", Name: r.keys(config.Activation, names.Usage), Outcome: Removed, Detail: fmt.Sprintf(
		"a stub with the id and no more stays until about %s, by the events' time, so that no id of a fact comes twice", stub)})
	r.compacted("changelog", names.ActivationChangelog, Replaced, true, fmt.Sprintf("the stub is newest; about %s its tombstone", stub))
	if r.eraser.c.Output.Current {
		r.compacted("current", names.Current, Tombstoned, true, "the row is deleted")
	}
	if r.eraser.c.Metrics.Enabled {
		r.add(Place{Place: "metrics_states", Name: r.keys(config.Measure, names.Facts), Outcome: Removed, Detail: "rows of metrics are stated anew without the account"})
		r.compacted("metrics_changelog", names.MeasureChangelog, Tombstoned, true, "the state is deleted")
	}
	if len(r.eraser.users.Mirrors) == 0 {
		return
	}
	users := Place{Place: "users", Name: r.keys(config.Resolve, names.Unresolved), Outcome: Absent, Detail: "no user is known to belong to it"}
	if r.Linked > 0 {
		users.Outcome, users.Endless = Kept, true
		users.Detail = fmt.Sprintf("users who are known to belong to it, by its id: %d; such a user's next event begins the account anew", r.Linked)
		users.Remedy = "erase those users as well: pqlstream erase user ID"
	}
	r.places = append(r.places, users)
}

func (r *reporting) ofUser(names config.Topics) {
	states := Place{Place: "states", Name: r.keys(config.Activation, names.Usage), Outcome: Absent, Detail: "no account knows the user"}
	accounts, partly := 0, 0
	for _, t := range r.Targets {
		if t.Account != "" {
			accounts++
		}
		if t.PartlyErased {
			partly++
		}
	}
	if accounts > 0 {
		states.Outcome, states.Detail = Removed, fmt.Sprintf("from accounts: %d", accounts)
	}
	if partly > 0 {
		states.Detail += fmt.Sprintf("; %d of them count what the user did, without saying who it was (partly_erased)", partly)
	}
	r.add(states)
	r.compacted("changelog", names.ActivationChangelog, Replaced, false, "states without the user are newest")
	if r.eraser.c.Output.Current {
		r.compacted("current", names.Current, Replaced, false, "rows without the user are newest")
	}
	if len(r.eraser.users.Mirrors) == 0 {
		return
	}
	stub := day(r.now.Add(kafka.UnresolvedRetention + stubFor))
	r.add(Place{Place: "users", Name: r.keys(config.Resolve, names.Unresolved), Outcome: Removed, Detail: fmt.Sprintf(
		"accounts and waiting events; where there were any, the id and no more stays as a key until about %s, by the events' time", stub)})
	r.compacted("users_changelog", names.ResolveChangelog, Replaced, true, fmt.Sprintf("the empty state is newest; about %s its tombstone", stub))
}

// logs are the topics from which nothing is removed before its time.
func (r *reporting) logs(names config.Topics) {
	c := r.eraser.c
	r.log("usage", names.Usage, "")
	if c.ResolvesUsers() {
		r.log("unresolved", names.Unresolved, "")
	}
	r.log("events", names.Events, "")
	if c.Output.Lifecycle {
		r.log("lifecycle", names.Lifecycle, "")
	}
	if c.Metrics.Enabled && r.User == "" {
		r.log("facts", names.Facts, "") // which tell of no users
	}
	r.log("dead_letters", names.DeadLetters, "")
	for i := range c.Input.Sources {
		r.log("source", c.Input.Sources[i].Topic, "its owner publishes a tombstone, a record with that key and no value")
	}
}

// add adds a place of which something is removed, or will be.
func (r *reporting) add(p Place) {
	if !r.done && p.Outcome != Absent && p.Outcome != Kept {
		p.Outcome = Pending
	}
	r.places = append(r.places, p)
}

// keys is how the keys of a stage's mirrors begin.
func (r *reporting) keys(stage config.Stage, topic string) string {
	return fmt.Sprintf("{%s:%s:%s:", r.eraser.c.Prefix, stage, topic)
}

// compacted adds a topic of which Kafka keeps the newest record of a key; byID says that the id is the key of what is erased.
func (r *reporting) compacted(place, topic string, outcome Outcome, byID bool, detail string) {
	keeps := r.keeps[topic]
	p := Place{Place: place, Name: topic, Outcome: outcome, Detail: detail}
	if r.unknown(&p, &keeps) {
		return
	}
	if until, known := keeps.ReplacedUntil(r.now); known {
		p.Until = &until
		p.Detail += "; what it has replaced goes when Kafka compacts it"
	} else {
		p.Endless = true
		p.Detail += "; what it has replaced goes when Kafka compacts it, for which there is no time by which"
		p.Remedy = kafka.KeepFor(topic, "max.compaction.lag.ms", compactWithin)
	}
	if keeps.Compacts {
		p.Detail += fmt.Sprintf(", and not before its segment is closed, which the first record after %s does (segment.ms)", age(keeps.Segment))
	}
	if keeps.Compacts && byID {
		p.Detail += fmt.Sprintf("; a tombstone has the id as its key and goes %s after that (delete.retention.ms)", age(keeps.Tombstone))
	}
	r.add(p)
}

// What is proposed where Kafka's settings say nothing.
const (
	compactWithin = 7 * 24 * time.Hour
	keepFor       = 30 * 24 * time.Hour
)

// log adds a topic of which nothing can be removed but by Kafka. What its owner can do where a key's last record stays says
// the remedy.
func (r *reporting) log(place, topic, remedy string) {
	keeps := r.keeps[topic]
	p := Place{Place: place, Name: topic, Outcome: Kept}
	if r.unknown(&p, &keeps) {
		return
	}
	switch until, known := keeps.Until(r.now); {
	case known:
		p.Until = &until
		p.Detail = fmt.Sprintf("for %s (retention.ms), after up to %s in which its segment takes records (segment.ms)", age(keeps.Age), age(keeps.Segment))
		if keeps.ByProducer {
			p.Detail += "; by the times that producers give their records, so that one of the future would stay for longer"
		}
	case keeps.Compacts && !keeps.Deletes:
		p.Endless, p.Detail, p.Remedy = true, "it is compacted: the last record of a key stays", remedy
	default:
		p.Endless, p.Detail = true, "Kafka keeps it without end"
		p.Remedy = kafka.KeepFor(topic, "retention.ms", keepFor)
	}
	r.add(p)
}

// unknown adds a place of which nothing is known, and says whether that is so.
func (r *reporting) unknown(p *Place, keeps *kafka.Retention) bool {
	switch {
	case keeps.Err == nil:
		return false
	case errors.Is(keeps.Err, kafka.ErrNoTopic):
		p.Outcome, p.Detail = Absent, keeps.Err.Error()
	default:
		p.Detail = fmt.Sprintf("for how long is not known: asking has failed: %v", keeps.Err)
		p.Remedy = "allow this client to describe the topic's configuration (DescribeConfigs)"
	}
	r.add(*p)
	return true
}

// day is a moment as people read it, to the day.
func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// age is a duration as people read it.
func age(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d == kafka.Forever:
		return "an unknown time"
	case d == day:
		return "1 day"
	case d >= day && d%day == 0:
		return fmt.Sprintf("%d days", d/day)
	}
	return d.String()
}
