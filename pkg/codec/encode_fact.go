package codec

import (
	"fmt"

	"github.com/pqlstream/pqlstream/pkg/account"
)

// Detection is what is known about a fact only when it is published: the part of a PQL event that the fold doesn't
// decide.
type Detection struct {
	DetectedAt int64 // ms since the Unix epoch, UTC: wall clock
	Replay     bool  // the fact was published before
	Backfill   bool  // decided over history, not as it happened
}

// The limits that keep an encoded fact below MaxFactBytes in either format, whatever is in it. Whoever makes facts keeps
// the counts, as package checklist does by the bounds of a definition; the encoder cuts the texts. No text that comes
// from a valid event and a valid definition is longer than its limit, a source's event ids apart.
const (
	MaxFactSteps      = 100 // done and missing together
	MaxFactProperties = 50
	MaxFactSegments   = 64
	MaxFactUsers      = 5

	MaxFactBytes = 900_000 // below the 1 MB that a broker takes by default, with room for key and headers

	maxIDBytes    = 256  // ids, names of events and segments, roles, what a step needs, details
	maxNameBytes  = 64   // names of steps and of account properties
	maxValueBytes = 256  // texts of account properties
	maxTextBytes  = 1000 // each of a playbook's texts
)

// FactEncoder encodes facts, the values of pql.events, pql.current and pql.lifecycle (schemas/pql_event.avsc). The three
// differ in which facts they carry, not in the record.
type FactEncoder struct{ output }

// NewFactEncoder returns an encoder, or an error when there is no such format. The schema's id matters to Avro only; with
// AvroBody nothing precedes the binary.
func NewFactEncoder(f Format, schemaID int) (*FactEncoder, error) {
	o, err := newOutput(f, schemaID)
	if err != nil {
		return nil, fmt.Errorf("encoding facts: %w", err)
	}
	return &FactEncoder{o}, nil
}

// AppendFact appends an encoded fact. It allocates nothing when b has room. In JSON, times are numbers of milliseconds
// since the Unix epoch; numbers that are infinite become null.
func (enc *FactEncoder) AppendFact(b []byte, f *account.Fact, d Detection) []byte {
	if enc.json {
		return appendFactJSON(b, f, d)
	}
	b = append(b, enc.prefix...)
	b = appendStanding(b, f, d)
	b = appendEvidence(b, f)
	b = appendBool(b, d.Replay)
	b = appendBool(b, d.Backfill)
	b = appendBool(b, f.HoldOut)
	b = appendBool(b, f.Excluded)
	b = appendCut(b, f.Detail, maxIDBytes)
	b = appendMillisOrNull(b, f.SignedUpAt)
	b = appendMillisOrNull(b, f.QualifiedAt)
	b = appendCut(b, f.Related, maxIDBytes)
	return appendBool(b, f.PartlyErased)
}

// appendStanding writes the fields up to checklist: what the account is now.
func appendStanding(b []byte, f *account.Fact, d Detection) []byte {
	b = appendCut(b, f.ID, maxIDBytes)
	b = appendCut(b, string(f.Type), maxIDBytes)
	b = appendCut(b, f.AccountID, maxIDBytes)
	b = appendLong(b, f.OccurredAt)
	b = appendLong(b, d.DetectedAt)
	b = appendBool(b, f.Current)
	b = appendCut(b, string(f.Reason), maxIDBytes)
	b = appendCut(b, f.Tier, maxIDBytes)
	b = appendDouble(b, f.Rate)
	b = appendDouble(b, f.Threshold)
	b = appendProperties(b, f.Properties, maxNameBytes, maxValueBytes)
	b = appendBlock(b, len(f.Segments))
	for _, s := range f.Segments {
		b = appendCut(b, s, maxIDBytes)
	}
	b = appendBlockEnd(b)
	b = appendCut(b, f.Checklist.Name, maxIDBytes)
	b = appendLong(b, int64(f.Checklist.Version))
	return appendCut(b, f.Checklist.Hash, maxIDBytes)
}

// appendEvidence writes the fields from step to late: what made it so.
func appendEvidence(b []byte, f *account.Fact) []byte {
	b = appendCut(b, f.Step, maxNameBytes)
	b = appendCut(b, string(f.Cause), maxIDBytes)
	b = appendCut(b, f.EventID, maxIDBytes)
	b = appendCut(b, f.EventName, maxIDBytes)
	b = appendCut(b, f.UserID, maxIDBytes)
	b = appendPosition(b, f.Position)
	b = appendSteps(b, f)
	b = appendCut(b, f.Playbook.Name, maxTextBytes)
	b = appendCut(b, f.Playbook.Action, maxTextBytes)
	b = appendCut(b, f.Playbook.Queue, maxTextBytes)
	b = appendCut(b, f.Playbook.Owner, maxTextBytes)
	b = appendCut(b, f.Playbook.Message, maxTextBytes)
	b = appendCut(b, f.Playbook.Reason, maxTextBytes)
	b = appendBlock(b, len(f.Users))
	for i := range f.Users {
		u := &f.Users[i]
		b = appendCut(b, u.ID, maxIDBytes)
		b = appendLong(b, u.Events)
		b = appendLong(b, u.LastSeen)
		b = appendLong(b, int64(u.StepsDone))
		b = appendDouble(b, u.Rate)
		b = appendBool(b, u.Activated)
		b = appendCut(b, u.Role, maxIDBytes)
	}
	b = appendBlockEnd(b)
	b = appendLong(b, int64(f.ActiveUsers7d))
	b = appendLong(b, int64(f.Activated))
	b = appendCut(b, f.Champion, maxIDBytes)
	b = appendBool(b, f.SingleUser)
	return appendBool(b, f.Late)
}

func appendSteps(b []byte, f *account.Fact) []byte {
	b = appendBlock(b, len(f.StepsDone))
	for i := range f.StepsDone {
		s := &f.StepsDone[i]
		b = appendCut(b, s.Step, maxNameBytes)
		b = appendLong(b, s.DoneAt)
		b = appendCut(b, s.UserID, maxIDBytes)
		b = appendCut(b, s.EventID, maxIDBytes)
		b = appendPosition(b, s.Position)
		b = appendDouble(b, s.Count)
	}
	b = appendBlockEnd(b)
	b = appendBlock(b, len(f.StepsMissing))
	for i := range f.StepsMissing {
		s := &f.StepsMissing[i]
		b = appendCut(b, s.Step, maxNameBytes)
		b = appendDouble(b, s.Progress)
		b = appendCut(b, s.Need, maxIDBytes)
	}
	return appendBlockEnd(b)
}

func appendPosition(b []byte, p account.Position) []byte {
	b = appendCut(b, p.Topic, maxIDBytes)
	b = appendLong(b, int64(p.Partition))
	return appendLong(b, p.Offset)
}
