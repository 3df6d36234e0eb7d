package rollup

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"unsafe"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/checklist"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// The types of facts, reasons and causes that mean something here: those of pkg/account. Facts of all types are folded: each tells
// rate, sign-up and dimensions.
const (
	typeQualified    = "qualified"
	typeRequalified  = "requalified"
	typeDisqualified = "disqualified"
	typeConverted    = "converted"
	typeStepDone     = "step_done"
	typeMerged       = "merged"
	typeErased       = "erased"

	// Why an account comes or goes that moves from one group to another.
	segmentChanged = "segment_changed"
	// Why an account leaves for which nobody gave a reason.
	unknownReason = "unknown"
)

// sayings are the types of facts that tell what sales has said.
var sayings = [...]string{"sales_accepted", "sales_rejected", "meeting_booked", "sales_won", "sales_lost"}

// types and reasons have codes in encodings, the others are spelled out: only append.
var (
	types = [...]string{"signed_up", typeStepDone, typeQualified, typeRequalified, "escalated", typeDisqualified, typeConverted, "churned",
		"step_undone", "active", "near_miss", "excluded", "included", "sales_accepted", "sales_rejected", "meeting_booked", "sales_won",
		"sales_lost", typeMerged, "absorbed", typeErased, "user_erased", "segment_changed"}
	reasons = [...]string{"excluded", "step_undone", "tier_changed", "inactive", "trial_ended", "merged", "erased", "definition_changed",
		typeConverted, unknownReason}
)

// Fact is what metrics read of a fact of an account's life, as pql.lifecycle tells it.
type Fact struct {
	Type       string
	Reason     string // why the account left
	Step       string // the step of a step_done
	OccurredAt int64  // ms since the Unix epoch, UTC: event time
	SignedUpAt int64  // 0: the sign-up was not seen
	Rate       float64
	HoldOut    bool // the account belongs to the control group
	Excluded   bool // the account can't qualify: nothing of it counts
	Late       bool // the event came beyond the allowed disorder
	Merge      bool // accounts were merged, and this follows
	Tier       string
	Segments   []string
	Checklist  int   // its version
	Dimensions []Dim // the account properties that are dimensions
}

// Dim is the value of one dimension.
type Dim struct{ Name, Value string }

// Read makes f what metrics read of an account's fact. The properties are those that its checklist declares. f's dimensions are used
// again, its segments are the fact's.
func (f *Fact) Read(of *account.Fact, properties []checklist.Property) {
	dimensions := f.Dimensions[:0]
	for i := range of.Properties { // in the checklist's order
		if v := of.Properties[i].Value; properties[i].Dimension && v.Kind() != usage.Null {
			dimensions = append(dimensions, Dim{Name: properties[i].Name, Value: v.String()})
		}
	}
	*f = Fact{
		Type: string(of.Type), Reason: string(of.Reason), Step: of.Step,
		OccurredAt: of.OccurredAt, SignedUpAt: of.SignedUpAt, Rate: of.Rate,
		HoldOut: of.HoldOut, Excluded: of.Excluded, Late: of.Late, Merge: of.Cause == account.ByMerge,
		Tier: of.Tier, Segments: of.Segments, Checklist: of.Checklist.Version, Dimensions: dimensions,
	}
}

// factLayout is the first byte of an encoded fact. What follows: type, flags, time, tier, rate, version of the checklist, segments,
// dimensions, and what the flags say is there: time since sign-up, reason, step.
const factLayout = 1

const (
	factHoldOut = 1 << iota
	factExcluded
	factLate
	factMerge
	factSignedUp
	factReason
	factStep
	afterFactFlags
)

// AppendBinary appends the encoded fact.
func (f *Fact) AppendBinary(b []byte) []byte {
	b = append(b, factLayout)
	b = appendCoded(b, types[:], f.Type)
	b = append(b, f.flags())
	b = appendInt(b, f.OccurredAt)
	b = appendText(b, f.Tier)
	b = binary.LittleEndian.AppendUint64(b, math.Float64bits(f.Rate))
	b = appendInt(b, int64(f.Checklist))
	b = appendUint(b, uint64(len(f.Segments)))
	for _, s := range f.Segments {
		b = appendText(b, s)
	}
	b = appendUint(b, uint64(len(f.Dimensions)))
	for _, d := range f.Dimensions {
		b = appendText(appendText(b, d.Name), d.Value)
	}
	if f.SignedUpAt != 0 {
		b = appendInt(b, f.OccurredAt-f.SignedUpAt)
	}
	if f.Reason != "" {
		b = appendCoded(b, reasons[:], f.Reason)
	}
	if f.Step != "" {
		b = appendText(b, f.Step)
	}
	return b
}

func (f *Fact) flags() (flags byte) {
	for i, has := range [...]bool{f.HoldOut, f.Excluded, f.Late, f.Merge, f.SignedUpAt != 0, f.Reason != "", f.Step != ""} {
		if has {
			flags |= 1 << i
		}
	}
	return flags
}

var errFact = errors.New("no encoding of a fact")

// DecodeFact reads what AppendBinary makes, nothing else. The fact's texts alias b; its slices are used again.
func DecodeFact(f *Fact, b []byte) error {
	r := reader{b: unsafe.String(unsafe.SliceData(b), len(b))}
	*f = Fact{Segments: f.Segments[:0], Dimensions: f.Dimensions[:0]}
	if r.byte() != factLayout {
		return fmt.Errorf("%w: unknown layout", errFact)
	}
	f.Type = r.coded(types[:])
	flags := r.byte()
	f.HoldOut, f.Excluded = flags&factHoldOut != 0, flags&factExcluded != 0
	f.Late, f.Merge = flags&factLate != 0, flags&factMerge != 0
	f.OccurredAt, f.Tier, f.Rate = r.int(), r.text(), r.double()
	version := r.int()
	f.Checklist = int(version)
	for range r.count() {
		f.Segments = append(f.Segments, r.text())
	}
	for range r.count() {
		f.Dimensions = append(f.Dimensions, Dim{r.text(), r.text()})
	}
	if flags&factSignedUp != 0 {
		f.SignedUpAt = f.OccurredAt - r.int()
	}
	if flags&factReason != 0 {
		f.Reason = r.coded(reasons[:])
	}
	if flags&factStep != 0 {
		f.Step = r.text()
	}
	if r.bad || r.more() || flags >= afterFactFlags || f.flags() != flags {
		return errFact
	}
	return nil
}

// appendCoded appends a text's place in a list, counted from 1, or 0 and the text.
func appendCoded(b []byte, list []string, s string) []byte {
	if i := slices.Index(list, s); i >= 0 {
		return append(b, byte(i)+1)
	}
	return appendText(append(b, 0), s)
}

func (r *reader) coded(list []string) string {
	code := int(r.byte())
	switch {
	case code > len(list):
		r.fail()
	case code > 0:
		return list[code-1]
	}
	s := r.text()
	if slices.Contains(list, s) {
		r.fail()
	}
	return s
}

func (r *reader) double() float64 {
	if len(r.b)-r.at < 8 {
		r.fail()
		return 0
	}
	r.at += 8
	var bits uint64
	for i := range 8 {
		bits |= uint64(r.b[r.at-8+i]) << (8 * i)
	}
	return math.Float64frombits(bits)
}
