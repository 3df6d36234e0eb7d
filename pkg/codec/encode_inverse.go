package codec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/usage"
	"github.com/pqlstream/pqlstream/schemas"
)

// This file reads what the encoders write, for tools and tests: it is not fast.

// DecodeFact reads a fact in either format, Avro in the wire format by this version's schema, whatever the id says.
// Account properties come ordered by key: neither format keeps an order.
func DecodeFact(b []byte) (account.Fact, Detection, error) {
	var w wireFact
	if err := decodeWire(b, factSchema, &w); err != nil {
		return account.Fact{}, Detection{}, fmt.Errorf("reading a PQL event: %w", err)
	}
	properties, err := w.properties()
	if err != nil {
		return account.Fact{}, Detection{}, fmt.Errorf("reading a PQL event: %w", err)
	}
	f := account.Fact{
		ID: w.ID, Type: account.Type(w.Type), AccountID: w.AccountID, Properties: properties,
		Tier: w.Tier, Rate: w.Rate, Threshold: w.Threshold, Checklist: account.ChecklistRef(w.Checklist), Step: w.Step,
		Cause: account.Cause(w.Cause), EventID: w.EventID, EventName: w.Event, UserID: w.UserID, Position: w.position(),
		Playbook: account.Playbook(w.Playbook), ActiveUsers7d: w.ActiveUsers7d, Activated: w.Activated, Champion: w.Champion,
		SingleUser: w.SingleUser, Late: w.Late, Reason: account.Reason(w.Reason), Detail: w.Detail,
		HoldOut: w.HoldOut, Excluded: w.Excluded, Related: w.Related, PartlyErased: w.PartlyErased,
		OccurredAt: w.OccurredAt, Current: w.Current,
	}
	f.Segments = append(f.Segments, w.Segments...)
	for _, s := range w.StepsDone {
		f.StepsDone = append(f.StepsDone, account.Evidence{
			Step: s.ID, DoneAt: s.DoneAt, UserID: s.UserID, EventID: s.EventID, Position: s.position(), Count: s.Count,
		})
	}
	for _, s := range w.StepsMissing {
		f.StepsMissing = append(f.StepsMissing, account.Missing(s))
	}
	for _, u := range w.Users {
		f.Users = append(f.Users, account.UserActivity(u))
	}
	if w.SignedUpAt != nil {
		f.SignedUpAt = *w.SignedUpAt
	}
	if w.QualifiedAt != nil {
		f.QualifiedAt = *w.QualifiedAt
	}
	return f, Detection{DetectedAt: w.DetectedAt, Replay: w.Replay, Backfill: w.Backfill}, nil
}

// DecodeDeadLetter reads a dead letter in either format, Avro in the wire format by this version's schema, whatever the
// id says.
func DecodeDeadLetter(b []byte) (DeadLetter, error) {
	var w wireDeadLetter
	if err := decodeWire(b, deadLetterSchema, &w); err != nil {
		return DeadLetter{}, fmt.Errorf("reading a dead letter: %w", err)
	}
	d := DeadLetter{
		Reason: w.Reason, Message: w.Message, Stage: w.Stage, Topic: w.Topic, Partition: w.Partition, Offset: w.Offset,
		Timestamp: w.Timestamp, FailedAt: w.FailedAt, Key: orNil(w.Key), Value: orNil(w.Value), Truncated: w.Truncated,
	}
	for _, h := range w.Headers {
		d.Headers = append(d.Headers, kgo.RecordHeader{Key: h.Key, Value: orNil(h.Value)})
	}
	return d, nil
}

var (
	factSchema       = sync.OnceValue(func() *avro.Schema { return avro.MustParse(schemas.PQLEvent.Text) })
	deadLetterSchema = sync.OnceValue(func() *avro.Schema { return avro.MustParse(schemas.DeadLetter.Text) })
)

// decodeWire reads either format into a struct whose tags name the schema's fields.
func decodeWire(b []byte, schema func() *avro.Schema, into any) error {
	if len(b) > 0 && b[0] == '{' {
		return decodeJSON(b, into)
	}
	if !isAvroWire(b) {
		return errNoWire
	}
	rest, err := schema().Decode(b[headerSize:], into)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%d bytes too many", len(rest))
	}
	return err
}

var errNoWire = errors.New("neither a JSON object nor Avro in the registry's wire format")

func isAvroWire(b []byte) bool { return len(b) >= headerSize && b[0] == 0 }

func decodeJSON(b []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	return d.Decode(into)
}

type wireFact struct {
	ID            string         `avro:"pql_id" json:"pql_id"`
	Type          string         `avro:"type" json:"type"`
	AccountID     string         `avro:"account_id" json:"account_id"`
	OccurredAt    int64          `avro:"occurred_at" json:"occurred_at"`
	DetectedAt    int64          `avro:"detected_at" json:"detected_at"`
	Current       bool           `avro:"current" json:"current"`
	Reason        string         `avro:"reason" json:"reason"`
	Tier          string         `avro:"tier" json:"tier"`
	Rate          float64        `avro:"rate" json:"rate"`
	Threshold     float64        `avro:"threshold" json:"threshold"`
	Properties    map[string]any `avro:"account_properties" json:"account_properties"`
	Segments      []string       `avro:"segments" json:"segments"`
	Checklist     wireChecklist  `avro:"checklist" json:"checklist"`
	Step          string         `avro:"step" json:"step"`
	Cause         string         `avro:"cause" json:"cause"`
	EventID       string         `avro:"event_id" json:"event_id"`
	Event         string         `avro:"event" json:"event"`
	UserID        string         `avro:"user_id" json:"user_id"`
	wirePosition  `avro:",inline"`
	StepsDone     []wireStep    `avro:"steps_done" json:"steps_done"`
	StepsMissing  []wireMissing `avro:"steps_missing" json:"steps_missing"`
	Playbook      wirePlaybook  `avro:"playbook" json:"playbook"`
	Users         []wireUser    `avro:"users" json:"users"`
	ActiveUsers7d int           `avro:"active_users_7d" json:"active_users_7d"`
	Activated     int           `avro:"activated_users" json:"activated_users"`
	Champion      string        `avro:"champion" json:"champion"`
	SingleUser    bool          `avro:"single_user" json:"single_user"`
	Late          bool          `avro:"late" json:"late"`
	Replay        bool          `avro:"replay" json:"replay"`
	Backfill      bool          `avro:"backfill" json:"backfill"`
	HoldOut       bool          `avro:"hold_out" json:"hold_out"`
	Excluded      bool          `avro:"excluded" json:"excluded"`
	Detail        string        `avro:"detail" json:"detail"`
	SignedUpAt    *int64        `avro:"signed_up_at" json:"signed_up_at"`
	QualifiedAt   *int64        `avro:"qualified_at" json:"qualified_at"`
	Related       string        `avro:"related" json:"related"`
	PartlyErased  bool          `avro:"partly_erased" json:"partly_erased"`
}

type wireChecklist struct {
	Name    string `avro:"name" json:"name"`
	Version int    `avro:"version" json:"version"`
	Hash    string `avro:"hash" json:"hash"`
}

type wirePosition struct {
	Topic     string `avro:"source_topic" json:"source_topic"`
	Partition int32  `avro:"source_partition" json:"source_partition"`
	Offset    int64  `avro:"source_offset" json:"source_offset"`
}

func (p wirePosition) position() account.Position { return account.Position(p) }

type wireStep struct {
	ID           string `avro:"id" json:"id"`
	DoneAt       int64  `avro:"done_at" json:"done_at"`
	UserID       string `avro:"user_id" json:"user_id"`
	EventID      string `avro:"event_id" json:"event_id"`
	wirePosition `avro:",inline"`
	Count        float64 `avro:"count" json:"count"`
}

type wireMissing struct {
	Step     string  `avro:"id" json:"id"`
	Progress float64 `avro:"progress" json:"progress"`
	Need     string  `avro:"need" json:"need"`
}

type wirePlaybook struct {
	Name    string `avro:"name" json:"name"`
	Action  string `avro:"action" json:"action"`
	Queue   string `avro:"queue" json:"queue"`
	Owner   string `avro:"owner" json:"owner"`
	Message string `avro:"message" json:"message"`
	Reason  string `avro:"reason" json:"reason"`
}

type wireUser struct {
	ID        string  `avro:"id" json:"id"`
	Events    int64   `avro:"events" json:"events"`
	LastSeen  int64   `avro:"last_seen" json:"last_seen"`
	StepsDone int     `avro:"steps_done" json:"steps_done"`
	Rate      float64 `avro:"rate" json:"rate"`
	Activated bool    `avro:"activated" json:"activated"`
	Role      string  `avro:"role" json:"role"`
}

type wireDeadLetter struct {
	Reason    string       `avro:"reason" json:"reason"`
	Message   string       `avro:"message" json:"message"`
	Stage     string       `avro:"stage" json:"stage"`
	Topic     string       `avro:"topic" json:"topic"`
	Partition int32        `avro:"partition" json:"partition"`
	Offset    int64        `avro:"offset" json:"offset"`
	Timestamp int64        `avro:"timestamp" json:"timestamp"`
	FailedAt  int64        `avro:"failed_at" json:"failed_at"`
	Key       *[]byte      `avro:"key" json:"key"`
	Headers   []wireHeader `avro:"headers" json:"headers"`
	Value     *[]byte      `avro:"value" json:"value"`
	Truncated bool         `avro:"truncated" json:"truncated"`
}

type wireHeader struct {
	Key   string  `avro:"key" json:"key"`
	Value *[]byte `avro:"value" json:"value"`
}

// orNil keeps apart what is null and what is empty.
func orNil(b *[]byte) []byte {
	if b == nil {
		return nil
	}
	return append([]byte{}, *b...)
}

// properties returns the account properties by key.
func (w *wireFact) properties() ([]usage.Property, error) {
	var ps []usage.Property
	for key, v := range w.Properties {
		value, err := wireValue(v)
		if err != nil {
			return nil, fmt.Errorf("account property %q: %w", key, err)
		}
		ps = append(ps, usage.Property{Key: key, Value: value})
	}
	slices.SortFunc(ps, func(a, b usage.Property) int { return strings.Compare(a.Key, b.Key) })
	return ps, nil
}

func wireValue(v any) (usage.Value, error) {
	switch v := v.(type) {
	case nil:
		return usage.Value{}, nil
	case bool:
		return usage.BoolValue(v), nil
	case int64:
		return usage.LongValue(v), nil
	case float64:
		return usage.DoubleValue(v), nil
	case string:
		return usage.StringValue(v), nil
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return usage.LongValue(n), nil
		}
		f, err := v.Float64()
		return usage.DoubleValue(f), err
	}
	return usage.Value{}, fmt.Errorf("a %T", v)
}
