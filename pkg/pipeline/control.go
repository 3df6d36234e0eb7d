package pipeline

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/identity"
	"github.com/pqlstream/pqlstream/pkg/stream"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// Records of the usage topic and of that of unresolved events which are no events have no key, which events always have, and
// this header, which says of what kind they are: controlMark, or a Control's.
const headerControl = "pqlstream-control"

// The kinds of Controls.
const (
	ControlLink         = "link"          // User belongs to Account; to the user
	ControlMerge        = "merge"         // Account becomes part of Into; to Account
	ControlAbsorb       = "absorb"        // Account takes in State, which is From's; to Account
	ControlEraseAccount = "erase-account" // everything about Account goes; to it
	ControlEraseUser    = "erase-user"    // everything about User goes; to the user, who may be known to belong to Account, and from there to each account
)

// Control is a request that travels among the events of the account or user that it is to, so that a replay meets it where the
// first run did. Its record says in a header where the record lies that led to it, as an event's does.
type Control struct {
	Kind    string `json:"-"`
	Account string `json:"account,omitempty"`
	User    string `json:"user,omitempty"`
	Into    string `json:"into,omitempty"`
	From    string `json:"from,omitempty"`
	// The event that asked for it.
	At      int64  `json:"at"` // when it happened, ms since the Unix epoch
	EventID string `json:"event_id,omitempty"`
	Event   string `json:"event,omitempty"` // its name
	// The way that it has come, once an alias has sent it on: identity.Via.
	Visited   []string `json:"visited,omitempty"`
	Canonical string   `json:"canonical,omitempty"`
	State     []byte   `json:"-"` // as package account carries it
}

// asked is a Control that an event asks for.
func asked(kind string, ev *usage.Event) *Control {
	return &Control{Kind: kind, At: ev.OccurredAt, EventID: ev.ID, Event: ev.Name}
}

// output is the control's record in a topic, in the partition of the account or user that it is to. It comes of the record r, and in
// the end of the source's record at a position, where time had come as far as a watermark.
func (c *Control) output(to Topic, id string, r *kgo.Record, from account.Position, watermark int64) stream.Output {
	return stream.Output{
		Topic:     to.Name,
		Partition: to.partition([]byte(id)),
		Value:     c.encode(),
		Headers: watermarkHeader(append(trace(r),
			kgo.RecordHeader{Key: headerControl, Value: []byte(c.Kind)},
			kgo.RecordHeader{Key: headerPosition, Value: formatPosition(from)}), watermark),
	}
}

// encode returns the control as JSON, with the state behind it after a zero byte, which JSON has none of: as a text in it
// a large state would exceed what a record may take.
func (c *Control) encode() []byte {
	value := plainJSON(c)
	if c.State != nil {
		value = append(append(value, 0), c.State...)
	}
	return value
}

// controlKind returns the kind of a record that is no event, "" for an event.
func controlKind(r *kgo.Record) string {
	if len(r.Key) > 0 {
		return ""
	}
	return headerOf(r, headerControl)
}

// headerOf returns a header of a record, "" when there is none.
func headerOf(r *kgo.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

// decodeControl reads a record whose kind is not controlMark. Its error is a Reject.
func decodeControl(kind string, r *kgo.Record) (*Control, error) {
	value, state, _ := bytes.Cut(r.Value, []byte{0})
	c := &Control{}
	err := json.Unmarshal(value, c)
	if c.Kind, c.State = kind, bytes.Clone(state); err == nil {
		err = c.validate()
	}
	if err != nil {
		return nil, &stream.Reject{Code: usage.CodeUndecodable, Err: fmt.Errorf("it says to be a control record of kind %q: %w", kind, err)}
	}
	return c, nil
}

// latest is the end of the year 9999, ms since the Unix epoch. Nothing that ingest lets pass is as late.
const latest = 253_402_300_799_999

// validate says whether the control has what its kind needs. Anybody may have written it.
func (c *Control) validate() error {
	need := map[string][]string{
		ControlLink: {c.User, c.Account}, ControlMerge: {c.Account, c.Into}, ControlAbsorb: {c.Account, c.From},
		ControlEraseAccount: {c.Account}, ControlEraseUser: {c.User},
	}[c.Kind]
	if need == nil {
		return errors.New("this version knows none")
	}
	for _, id := range need {
		if id == "" {
			return errors.New("an id is missing")
		}
	}
	for _, id := range append([]string{c.Account, c.User, c.Into, c.From, c.Canonical}, c.Visited...) {
		if len(id) > usage.MaxIDBytes {
			return fmt.Errorf("an id has more than %d bytes", usage.MaxIDBytes)
		}
	}
	if len(c.Visited) > identity.MaxVisited {
		return fmt.Errorf("it has come through more than %d accounts", identity.MaxVisited)
	}
	if c.At < 0 || c.At > latest {
		return errors.New("its time is before 1970 or after the year 9999")
	}
	return nil
}
