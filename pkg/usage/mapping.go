package usage

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// The canonical fields, as schemas/usage_event.avsc names them.
const (
	FieldEventID    = "event_id"
	FieldAccountID  = "account_id"
	FieldUserID     = "user_id"
	FieldEvent      = "event"
	FieldOccurredAt = "occurred_at"
	FieldQuantity   = "quantity"
	FieldSource     = "source"
	FieldProperties = "properties"
	FieldReceivedAt = "received_at"
)

// Mapping says where in a source record each field of an Event comes from. A field without a path stays empty.
type Mapping struct {
	EventID    Path
	AccountID  Path // required
	UserID     Path
	Event      Path // required
	OccurredAt Path // required; ms since the Unix epoch, or what the format knows as a moment
	Quantity   Path
	Source     Path
	Properties Path           // of a map, object or record, each entry of which is a property
	Single     []PropertyPath // further properties; they win over those of the same key under Properties
	ReceivedAt Path           // only our own canonical topic has it
	Given      []string       // of the required fields, those that the reader knows where the record says nothing: a path may be missing, or lead nowhere
}

// PropertyPath says where one property comes from.
type PropertyPath struct {
	Key  string
	Path Path
}

// DefaultMapping maps every field but received_at from the field of the same name.
func DefaultMapping() Mapping {
	return Mapping{
		EventID:    Path{FieldEventID},
		AccountID:  Path{FieldAccountID},
		UserID:     Path{FieldUserID},
		Event:      Path{FieldEvent},
		OccurredAt: Path{FieldOccurredAt},
		Quantity:   Path{FieldQuantity},
		Source:     Path{FieldSource},
		Properties: Path{FieldProperties},
	}
}

// CanonicalMapping is the mapping of our own keyed usage topic, which says when the source's record was received.
func CanonicalMapping() Mapping {
	m := DefaultMapping()
	m.ReceivedAt = Path{FieldReceivedAt}
	return m
}

// ParseMapping reads a mapping as people write it, canonical field to dotted path:
//
//	account_id: context.groupId
//	user_id: ""                     # not read
//	properties: traits
//	properties.plan: context.plan   # one more property, plan
//
// Fields that are not mentioned are mapped as in DefaultMapping; given is the mapping's. Its error joins everything that
// is wrong, each prefixed with the field.
func ParseMapping(fields map[string]string, given ...string) (Mapping, error) {
	m := DefaultMapping()
	m.Given = given
	var errs []error
	for _, field := range slices.Sorted(maps.Keys(fields)) {
		if err := m.set(field, fields[field]); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", field, err))
		}
	}
	if len(errs) == 0 {
		return m, m.Validate()
	}
	// A field with a faulty path has kept its default, so that Validate doesn't report it twice.
	return Mapping{}, errors.Join(errors.Join(errs...), m.Validate())
}

func (m *Mapping) set(field, text string) error {
	path, err := parseOptionalPath(text)
	if err != nil {
		return err
	}
	if key, ok := strings.CutPrefix(field, FieldProperties+"."); ok {
		if len(path) == 0 {
			return errors.New("needs a path")
		}
		m.Single = append(m.Single, PropertyPath{Key: key, Path: path})
		return nil
	}
	to := m.path(field)
	if to == nil {
		return fmt.Errorf("is not a field of a usage event; those are %s", strings.Join(mappable, ", "))
	}
	*to = path
	return nil
}

func parseOptionalPath(text string) (Path, error) {
	if text == "" {
		return nil, nil
	}
	return ParsePath(text)
}

// mappable are the fields that people can map.
var mappable = []string{
	FieldEventID, FieldAccountID, FieldUserID, FieldEvent, FieldOccurredAt, FieldQuantity, FieldSource, FieldProperties,
	FieldProperties + ".<key>",
}

func (m *Mapping) path(field string) *Path {
	switch field {
	case FieldEventID:
		return &m.EventID
	case FieldAccountID:
		return &m.AccountID
	case FieldUserID:
		return &m.UserID
	case FieldEvent:
		return &m.Event
	case FieldOccurredAt:
		return &m.OccurredAt
	case FieldQuantity:
		return &m.Quantity
	case FieldSource:
		return &m.Source
	case FieldProperties:
		return &m.Properties
	}
	return nil
}

// Validate says what is wrong with the mapping, everything at once, each prefixed with the field.
func (m *Mapping) Validate() error {
	var errs []error
	fail := func(field, why string) { errs = append(errs, fmt.Errorf("%s: %s", field, why)) }

	for _, field := range mappable[:len(mappable)-1] {
		if err := m.path(field).validate(); err != nil {
			fail(field, err.Error())
		}
	}
	for _, field := range []string{FieldAccountID, FieldEvent, FieldOccurredAt} {
		if len(*m.path(field)) == 0 && !slices.Contains(m.Given, field) {
			fail(field, "needs a path")
		}
	}
	if err := m.ReceivedAt.validate(); err != nil {
		fail(FieldReceivedAt, err.Error())
	}
	m.validateSingle(fail)
	return errors.Join(errs...)
}

func (m *Mapping) validateSingle(fail func(field, why string)) {
	if len(m.Single) > MaxProperties {
		fail(FieldProperties, fmt.Sprintf("%d single properties are mapped, at most %d are allowed", len(m.Single), MaxProperties))
	}
	seen := make(map[string]bool, len(m.Single))
	for _, p := range m.Single {
		field := PropertyField(p.Key)
		switch {
		case p.Key == "" || len(p.Key) > MaxIDBytes:
			fail(field, fmt.Sprintf("the key must have 1 to %d bytes", MaxIDBytes))
		case seen[p.Key]:
			fail(field, "is mapped twice")
		case len(p.Path) == 0:
			fail(field, "needs a path")
		case p.Path.validate() != nil:
			fail(field, p.Path.validate().Error())
		}
		seen[p.Key] = true
	}
}
