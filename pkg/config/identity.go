package config

import (
	"strings"
	"time"
)

// Identity says how events find their account, and which of them say that accounts or users are others than before. All of it
// needs the ingest stage.
type Identity struct {
	// What becomes of events that name a user and no account: reject makes them dead letters; resolve has them find the account
	// by the user's other events, which name both. This needs a stage of its own: some processes of the deployment must run
	// resolve. It remembers up to 64 accounts of a user; an event belongs to the one whose event was the user's last at that
	// time (which is known to the day, where a user works in several), or else to the first. While none is known it waits.
	UsersWithoutAccount UsersWithoutAccount `mapstructure:"users_without_account"`
	// How long an event waits for its user's account to become known, by the events' time. Then it is a dead letter.
	Hold time.Duration `mapstructure:"hold"`
	// How many events of one user may wait; they may take 256 KiB. The oldest make room, as dead letters.
	HoldEvents int `mapstructure:"hold_events"`
	// Accounts that become part of others.
	Merge MergeEvent `mapstructure:"merge"`
	// Accounts that are to be forgotten.
	EraseAccount EraseAccount `mapstructure:"erase_account"`
	// Users who are to be forgotten.
	EraseUser EraseUser `mapstructure:"erase_user"`
}

// MergeEvent is how a merge of two accounts is told.
type MergeEvent struct {
	// The event that says that an account has become part of another; its own account is the one that stays. Empty: there is none.
	Event string `mapstructure:"event"`
	// The property of that event with the id of the account that becomes part of the other, such as properties.merged_account_id.
	From string `mapstructure:"from"`
}

// EraseAccount is how the erasure of an account is told.
type EraseAccount struct {
	// The event that says that everything about its account is to be erased. Empty: there is none.
	Event string `mapstructure:"event"`
}

// EraseUser is how the erasure of a user is told.
type EraseUser struct {
	// The event that says that everything about its user is to be erased. Where users are not resolved it must name their account
	// as well. Empty: there is none.
	Event string `mapstructure:"event"`
}

// UsersWithoutAccount is what becomes of events that name only a user.
type UsersWithoutAccount string

// What may become of them.
const (
	RejectUsers  UsersWithoutAccount = "reject"
	ResolveUsers UsersWithoutAccount = "resolve"
)

// ResolvesUsers says whether events that name only a user find their account.
func (c *Config) ResolvesUsers() bool { return c.Input.Identity.UsersWithoutAccount == ResolveUsers }

// ofProperties begins the path of a property.
const ofProperties = "properties."

// Property is the key of the property that From names.
func (m *MergeEvent) Property() string { return strings.TrimPrefix(m.From, ofProperties) }

// identityEvent is a setting with an event's name.
type identityEvent struct{ path, name string }

// identityEvents are the names of events that are no usage, with their settings.
func (c *Config) identityEvents() (list []identityEvent) {
	in := &c.Input.Identity
	for _, e := range []identityEvent{
		{"input.identity.merge.event", in.Merge.Event},
		{"input.identity.erase_account.event", in.EraseAccount.Event},
		{"input.identity.erase_user.event", in.EraseUser.Event},
	} {
		if e.name != "" {
			list = append(list, e)
		}
	}
	return list
}

func (c *Config) validateIdentity(p *Problems) {
	const at, day = "input.identity", 24 * time.Hour
	in := &c.Input.Identity
	oneOf(p, at+".users_without_account", in.UsersWithoutAccount, RejectUsers, ResolveUsers)
	between(p, at+".hold", in.Hold, time.Second, 365*day)
	between(p, at+".hold_events", in.HoldEvents, 1, 10_000)
	in.Merge.validate(p, at+".merge")
	usedBy := map[string]string{}
	for _, e := range c.identityEvents() {
		p.eventName(e.path, e.name)
		if first, used := usedBy[e.name]; used {
			p.add(e.path, "%q is the event of %s already", e.name, first)
		}
		usedBy[e.name] = e.path
	}
	if c.Runs(Resolve) && !c.ResolvesUsers() {
		p.add("stages", "resolve has nothing to do while %s.users_without_account is %s: set that to %s, or leave the stage out",
			at, in.UsersWithoutAccount, ResolveUsers)
	}
}

func (m *MergeEvent) validate(p *Problems, at string) {
	key, isProperty := strings.CutPrefix(m.From, ofProperties)
	switch {
	case m.Event == "" && m.From != "":
		p.add(at+".event", "none given, but from")
	case m.Event != "" && (!isProperty || key == ""):
		p.add(at+".from", "%q is not properties.NAME, the property with the id of the account that becomes part of the other", m.From)
	}
}

// needIdentity lists the settings of identity that are made use of.
func (c *Config) needIdentity() (paths []string) {
	if c.ResolvesUsers() {
		paths = append(paths, "input.identity.users_without_account")
	}
	for _, e := range c.identityEvents() {
		paths = append(paths, e.path)
	}
	return paths
}
