// Package job is what all implementations of the benchmark's job share: the events, their schema, and the rules written
// by hand, which say what the right PQLs are.
package job

import (
	_ "embed" // for Schema
	"encoding/binary"
	"math"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

// Schema is the Avro schema that the events are written with: a source's own, not pqlstream's.
//
//go:embed usage-event.avsc
var Schema string

// SchemaID is the schema's in the wire format.
const SchemaID = 1

// HeaderSize is how many bytes of the wire format precede an event's binary.
const HeaderSize = 5

// Append appends an event in the wire format of schema registries. Properties have to be strings.
func Append(b []byte, e *usage.Event) []byte {
	b = append(b, 0, 0, 0, 0, SchemaID)
	for _, s := range [...]string{e.ID, e.AccountID, e.UserID, e.Name} {
		b = appendString(b, s)
	}
	b = binary.AppendVarint(b, e.OccurredAt)
	if n := len(e.Properties); n > 0 {
		b = binary.AppendVarint(b, int64(n))
		for _, p := range e.Properties {
			b = appendString(appendString(b, p.Key), p.Value.String())
		}
	}
	b = append(b, 0)
	return binary.LittleEndian.AppendUint64(b, math.Float64bits(e.Quantity))
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendVarint(b, int64(len(s))), s...) // its varints are Avro's
}
