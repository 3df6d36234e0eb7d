package pipeline

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/identity"
	"github.com/pqlstream/pqlstream/pkg/stream"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// controlEvent is the kind of a record that is an event which an alias has sent on: its value is the event as it came, and this
// header says to whom it is, as the value does not.
const (
	controlEvent = "event"
	headerAlong  = "pqlstream-along"
)

// The codes of messages between accounts that can't be answered.
const (
	CodeMessage     = "unanswerable"
	CodeNeedsIngest = "needs_ingest"
)

// along is the way that a forwarded event has come.
type along struct {
	Account   string   `json:"account"`
	Visited   []string `json:"visited"`
	Canonical string   `json:"canonical,omitempty"`
}

// asks is what the controls that are for accounts ask for.
var asks = map[string]account.Asks{
	ControlMerge: account.ToMerge, ControlAbsorb: account.ToAbsorb, ControlEraseAccount: account.ToErase, ControlEraseUser: account.ToEraseUser,
}

// messageOf returns what a record asks of an account, of a kind that is no mark and no event.
func messageOf(kind string, r *kgo.Record) (*account.Message, error) {
	c, err := decodeControl(kind, r)
	if err != nil {
		return nil, err
	}
	ask, ok := asks[kind]
	if !ok || c.Account == "" {
		return nil, &stream.Reject{Code: usage.CodeUndecodable, Err: fmt.Errorf("a control record of kind %q that names account %q is not for accounts", kind, c.Account)}
	}
	other := c.From
	if ask == account.ToMerge {
		other = c.Into
	}
	return &account.Message{
		Asks: ask, To: c.Account, Via: identity.Via{Visited: c.Visited, Canonical: c.Canonical},
		Control: account.Control{At: c.At, EventID: c.EventID, EventName: c.Event, Position: position(r)},
		Other:   other, User: c.User, Carried: c.State,
	}, nil
}

// controlOf is the inverse of messageOf.
func controlOf(m *account.Message) *Control {
	c := &Control{
		Account: m.To, User: m.User, At: m.At, EventID: m.EventID, Event: m.EventName,
		Visited: m.Via.Visited, Canonical: m.Via.Canonical, State: m.Carried,
	}
	for kind, ask := range asks {
		if ask == m.Asks {
			c.Kind = kind
		}
	}
	switch m.Asks {
	case account.ToMerge:
		c.Into = m.Other
	case account.ToAbsorb:
		c.From = m.Other
	}
	return c
}

// forwarded returns to whom a record that is a forwarded event is.
func forwarded(r *kgo.Record) (*account.Message, error) {
	value := headerOf(r, headerAlong)
	if value == "" {
		return nil, &stream.Reject{Code: usage.CodeUndecodable, Err: fmt.Errorf("it says to be a forwarded event and has no header %s", headerAlong)}
	}
	var way along
	err := json.Unmarshal([]byte(value), &way)
	if err == nil && (way.Account == "" || len(way.Account) > usage.MaxIDBytes || len(way.Visited) > identity.MaxVisited) {
		err = fmt.Errorf("an id is missing, or something is too long")
	}
	if err != nil {
		return nil, &stream.Reject{Code: usage.CodeUndecodable, Err: fmt.Errorf("header %s: %w", headerAlong, err)}
	}
	return &account.Message{To: way.Account, Via: identity.Via{Visited: way.Visited, Canonical: way.Canonical}}, nil
}

// send sends on what an account has not taken in. What no record can hold, with the way that it has come, becomes a dead letter.
func (a *activation) send(m *account.Message, r *kgo.Record, t *stream.Turn) error {
	var o stream.Output
	if m.Asks == account.ToFold {
		o = a.along(m, r)
	} else {
		o = controlOf(m).output(a.Usage, m.To, r, m.Position, sourceWatermark(r))
	}
	if err := fits(&o); err != nil {
		return a.lettered(r, err, t)
	}
	t.Emit(o)
	return nil
}

// along is the record of a forwarded event.
func (a *activation) along(m *account.Message, r *kgo.Record) stream.Output {
	return stream.Output{
		Topic:     a.Usage.Name,
		Partition: a.Usage.partition([]byte(m.To)),
		Value:     bytes.Clone(r.Value),
		Headers: watermarkHeader(append(trace(r),
			kgo.RecordHeader{Key: headerControl, Value: []byte(controlEvent)},
			kgo.RecordHeader{Key: headerAlong, Value: plainJSON(along{m.To, m.Via.Visited, m.Via.Canonical})},
			kgo.RecordHeader{Key: headerPosition, Value: formatPosition(position(r))}), sourceWatermark(r)),
	}
}
