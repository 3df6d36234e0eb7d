package checklist

import (
	"fmt"
	"reflect"
	"strings"
)

//go:generate go test ./internal/reference -run TestPageIsCurrent -update

// Part documents what a definition is made of. The reference page and the file's JSON Schema are made from it.
type Part struct {
	Name   string
	Doc    string
	Fields []Field

	of reflect.Type
}

// Parts returns the parts of a definition, the whole first. Of steps they tell the fields that all kinds have: see Kinds
// for the others.
func Parts() []Part { return append([]Part(nil), parts...) }

var parts = []Part{
	{Name: "checklist", of: reflect.TypeFor[Definition](), Doc: "What makes an account of a product ready to buy.", Fields: []Field{
		{Name: "version", Required: true, Doc: "a whole number above 0 that facts carry: raise it with every change"},
		{Name: "name", Required: true, Doc: "the checklist's name, 1 to 64 letters, digits, dots, dashes or underscores; facts carry it"},
		{Name: "preset", Default: "none: the tiers say all", Doc: "`simple`, `mid` or `complex`: how complex the product is. " +
			"It brings tiers by company size with their thresholds and playbooks"},
		{Name: "zone", Default: "UTC", Doc: "the IANA time zone, such as `Europe/Berlin`, whose days windows and trials count in"},
		{Name: "signup", Default: "sign-ups are not known", Doc: "the events that begin an account's life"},
		{Name: "converted", Default: "accounts never convert", Doc: "the events that say that an account has bought"},
		{Name: "churned", Default: "customers never leave", Doc: "the events that say that an account's subscription has ended. " +
			"It has not converted any more then, and qualifies again once another step is done"},
		{Name: "trial", Default: "there is none", Doc: "when an account's trial begins and ends"},
		{Name: "inactivity", Default: "14 days", Doc: "after how long without an event an account is no PQL any more"},
		{Name: "demote", Default: "`false`", Doc: "`true`: when an account comes into a tier whose bar is higher, and its rate is not enough for that, it is no " +
			"PQL any more; otherwise a bar that rises takes nothing away"},
		{Name: "exclude", Default: "no account is excluded", Doc: "expressions over `account`; an account that one is true of never qualifies"},
		{Name: "exclude_accounts", Default: "none", Doc: fmt.Sprintf("the ids of more accounts that never qualify, at most %d", maxExcluded)},
		{Name: "near_miss", Default: "`false`", Doc: "`true`: a fact tells that an account is one step short of qualifying, and names the step, of several " +
			"that which has come furthest. It comes once, until that is no longer so"},
		{Name: "hold_out", Default: "nobody is held out", Doc: "a control group: accounts whose facts nobody acts on"},
		{Name: "sales", Default: "nothing is known", Doc: "the events by which sales says what became of an account"},
		{Name: "segments", Default: "none", Doc: "named sets of accounts; facts carry the names of those that an account is in"},
		{Name: "tiers", Default: "the preset's", Doc: "classes of accounts, each with its bar; the first that fits is the account's"},
		{Name: "properties", Default: "none", Doc: "what is known of an account, and which events tell it"},
		{Name: "playbooks", Default: "the preset's three", Doc: "what somebody should do about a qualified account; one of a preset's " +
			"name takes its place"},
		{Name: "steps", Required: true, Doc: fmt.Sprintf("what an account does when it is ready to buy, at most %d steps", MaxSteps)},
		{Name: "dedupe", Default: "as below", Doc: "the memory for events that come twice"},
		{Name: "activity", Default: "as below", Doc: "the memory for an account's users"},
	}},
	{Name: "moment", of: reflect.TypeFor[MomentDef](), Doc: "Events that mark a moment of an account's life.", Fields: []Field{
		eventField, whereField,
	}},
	{Name: "trial", of: reflect.TypeFor[TrialDef](), Doc: "An account's trial. Steps of kind `trial` go by it.", Fields: []Field{
		{Name: "days", Required: true, Doc: fmt.Sprintf("how many days it takes, a whole number from 1 to %d", maxWithin)},
		{Name: "starts", Default: "the sign-up", Doc: "the events that begin it"},
		{Name: "ends", Default: "none do", Doc: "the events that finish it before its time"},
		{Name: "disqualifies", Default: "`false`", Doc: "`true`: an account that has not converted when the trial ends is no PQL any more, " +
			"and qualifies again once another step is done"},
	}},
	{Name: "inactivity", of: reflect.TypeFor[SilenceDef](), Doc: "How long an account may be silent. Any event that the checklist names counts, " +
		"except what only sales says and what only tells account properties. The account is no PQL any more within an hour after that. " +
		"Its next event has it judged anew, unless that comes so late that the account has been silent for too long since.", Fields: []Field{
		{Name: "days", Required: true, Doc: fmt.Sprintf("days of 24 hours, a whole number from 0 to %d; 0: for ever", maxWithin)},
	}},
	{Name: "hold-out", of: reflect.TypeFor[HoldOutDef](), Doc: "A control group, so that the effect of acting on PQLs can be measured: a share of the accounts, by a " +
		"hash of their ids, that is the same as long as salt and share are; a larger share adds accounts to it. Their facts say `hold_out` and are on " +
		"`pql.lifecycle` only.", Fields: []Field{
		{Name: "share", Required: true, Doc: "the share of all accounts, from 0 to 1"},
		{Name: "salt", Default: "empty", Doc: fmt.Sprintf("any text of at most %d bytes: another one makes another group", maxSalt)},
	}},
	{Name: "sales", of: reflect.TypeFor[SalesDef](), Doc: "What sales says. It makes facts on `pql.lifecycle` and is shown with the account; it decides nothing.", Fields: []Field{
		{Name: "accepted", Default: "unknown", Doc: "the events that say that sales takes the account on"},
		{Name: "rejected", Default: "unknown", Doc: "the events that say that it does not"},
		{Name: "meeting_booked", Default: "unknown", Doc: "the events that say that there will be a meeting"},
		{Name: "won", Default: "unknown", Doc: "the events that say that the deal is made"},
		{Name: "lost", Default: "unknown", Doc: "the events that say that it will not be"},
	}},
	{Name: "outcome", of: reflect.TypeFor[OutcomeDef](), Doc: "Events that tell an outcome for which there is a reason.", Fields: []Field{
		eventField, whereField,
		{Name: "reason", Default: "no reason is known", Doc: "the events' property that tells the reason; facts carry at most 256 bytes of it"},
	}},
	{Name: "segment", of: reflect.TypeFor[SegmentDef](), Doc: "A named set of accounts: those that an expression is true of when a fact is made. " +
		"When an event tells an account property, a step is done or undone, or time decides something, and the account's tier, segments or properties with `dimension` are other than " +
		"facts have told, a fact `segment_changed` tells it. What else an expression reads, such as `users` or `active_users`, is looked at only then.", Fields: []Field{
		{Name: "name", Required: true, Doc: "the segment's name"},
		{Name: "when", Required: true, Doc: "an expression over `account` and behaviour"},
	}},
	{Name: "tier", of: reflect.TypeFor[TierDef](), Doc: "A class of accounts with its bar. With a preset, a tier named `small`, `medium` or " +
		"`large` has what the preset says, unless it says otherwise itself. `explain` warns when one user carries a large account: one of a " +
		"tier named `large` or `enterprise`, of the lowest bar where bars differ, or of a bar no higher than the preset's for `large` " +
		"(35 % without a preset).", Fields: []Field{
		{Name: "name", Required: true, Doc: "the tier's name"},
		{Name: "when", Default: "the preset's; the last tier takes whoever is left", Doc: "an expression over `account`"},
		{Name: "threshold", Default: "the preset's", Doc: "the activation rate that qualifies, above 0 and at most 1"},
		{Name: "escalate_at", Default: "the preset's, if it is above the threshold; otherwise nothing escalates",
			Doc: "the activation rate that escalates, from the threshold to 1; 0: nothing escalates"},
		{Name: "playbook", Default: "the preset's, otherwise none", Doc: "the name of the playbook for the tier's accounts"},
	}},
	{Name: "property", of: reflect.TypeFor[PropertyDef](), Doc: "Something that is known of an account. What the newest event has told holds.", Fields: []Field{
		{Name: "name", Required: true, Doc: "what it is called in expressions, `account.NAME`: letters, digits or underscores"},
		{Name: "type", Required: true, Doc: "`string`, `long`, `double` or `boolean`; what an event tells is read as that, or not taken"},
		{Name: "from", Required: true, Doc: "the events that tell it"},
		{Name: "default", Default: "it is missing", Doc: "what holds until an event tells"},
		{Name: "dimension", Default: "`false`", Doc: "`true`: accounts are told apart by it, as by their tier and segments: a fact `segment_changed` tells when " +
			"it changes and no other fact does"},
	}},
	{Name: "source", of: reflect.TypeFor[SourceDef](), Doc: "Events that tell an account property.", Fields: []Field{
		{Name: "event", Required: true, Doc: "the event's name, or `*`: any event that has the property"},
		{Name: "property", Default: "what the account property is called", Doc: "which property of the event tells it"},
	}},
	{Name: "playbook", of: reflect.TypeFor[PlaybookDef](), Doc: "What somebody should do about a qualified account. Facts carry it.",
		Fields: append(append([]Field{{Name: "name", Required: true, Doc: "the playbook's name, as tiers call it"}}, playFields("none")...),
			Field{Name: "refine", Default: "none", Doc: "changes for some of the accounts; the first that fits takes the playbook's place"})},
	{Name: "refinement", of: reflect.TypeFor[RefinementDef](), Doc: "A change of a playbook for the accounts that an expression is true of.",
		Fields: append([]Field{
			{Name: "when", Required: true, Doc: "an expression over `account` and behaviour"},
			{Name: "name", Default: "the playbook's", Doc: "a name of its own"},
		}, playFields("the playbook's")...)},
	{Name: "step", of: reflect.TypeFor[StepDef](), Doc: "One thing that an account does. Which fields a step has beside these depends on its kind.", Fields: []Field{
		{Name: "id", Required: true, Doc: "the step's name, as facts and other steps call it"},
		{Name: "kind", Required: true, Doc: "what kind of step it is"},
		{Name: "weight", Default: "1", Doc: "how much it counts in the activation rate; 0: for other steps, segments and playbooks only"},
	}},
	{Name: "points", of: reflect.TypeFor[PointsDef](), Doc: "What an event of a `score` is worth.", Fields: []Field{
		eventField, whereField,
		{Name: "points", Required: true, Doc: "how many points each is worth"},
		{Name: "group", Default: "no cap holds", Doc: "the group whose cap holds"},
	}},
	{Name: "cap", of: reflect.TypeFor[CapDef](), Doc: "The most that the events of one group of a `score` are worth together.", Fields: []Field{
		{Name: "group", Required: true, Doc: "the group's name"},
		{Name: "at_most", Required: true, Doc: "the most points that count"},
	}},
	{Name: "dedupe", of: reflect.TypeFor[DedupeDef](), Doc: "For how long the ids of events are remembered, so that one that comes again counts once.", Fields: []Field{
		{Name: "horizon", Default: "24h", Doc: "a time such as `7d`, `24h` or `90m`, of the events' own clock; 0: off"},
		{Name: "limit", Default: fmt.Sprint(defaultLimit), Doc: fmt.Sprintf("how many ids an account's state holds, at most %d; 0: off", maxDedupe)},
	}},
	{Name: "activity", of: reflect.TypeFor[ActivityDef](), Doc: "What is kept of an account's users.", Fields: []Field{
		{Name: "users", Default: fmt.Sprint(defaultUsers), Doc: fmt.Sprintf("how many users an account's state holds, at most %d; 0: off", maxUsers)},
		{Name: "role", Default: "roles are not known", Doc: "the events' property that tells a user's role"},
	}},
}

// WorkBound is the most bytes that the step's working set can take in an account's state.
func (s *Step) WorkBound() int { return s.traits.bound }

// playFields are what a playbook and its refinements have alike.
func playFields(leftOut string) []Field {
	return []Field{
		{Name: "action", Default: leftOut, Doc: "what to do, in words"},
		{Name: "queue", Default: leftOut, Doc: "where such accounts are worked on"},
		{Name: "owner", Default: leftOut, Doc: "whose the account is: a text, or `account.NAME` for what that property says"},
		{Name: "message", Default: leftOut, Doc: "the key of the message to send"},
		{Name: "reason", Default: leftOut, Doc: "why, in words, for the person who acts"},
	}
}

// yamlName is what a field of a definition's struct is called in the file.
func yamlName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	return name
}
