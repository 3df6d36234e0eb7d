package checklist

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"hash/fnv"
	"slices"
)

// meaning is a definition without what does not matter: what the hash is taken of.
type meaning struct {
	Zone, Role        string
	Signup, Converted *momentMeaning
	Churned           *momentMeaning
	Inactivity        int // days
	TrialEnd          *stepMeaning
	Demote, NearMiss  bool
	Excluded          []string
	HoldOut           *HoldOutDef
	Sales             []salesMeaning
	Exclude           []string
	Segments          []segmentMeaning
	Tiers             []tierMeaning
	Properties        []PropertyDef
	Steps             []stepMeaning
	Horizon           int64
	Remembered, Users int
}

type salesMeaning struct {
	Feedback Feedback
	momentMeaning
	Reason string
}

type momentMeaning struct {
	Events []string
	Where  string
}

type tierMeaning struct {
	Name, When            string
	Threshold, EscalateAt float64
	Playbook              []adviceMeaning // the playbook, then its refinements
}

type adviceMeaning struct {
	Playbook
	When string
}

type segmentMeaning struct{ Name, When string }

// stepMeaning is a step's fields as they were given, with what its kind made of some of them.
type stepMeaning struct {
	ID, Kind, Of, To, Shape string
	Inputs                  []momentMeaning
	Weight, AtLeast         float64
	Within, For, HalfLife   *Window
	Adds, Live, Finished    bool
	Points                  []PointsDef // without what Inputs hold
	Caps                    []CapDef
	Day                     *int
	Steps                   []string
}

func newStepMeaning(d *StepDef) stepMeaning {
	m := stepMeaning{
		ID: d.ID, Kind: d.Kind, Of: d.Of, To: d.To, Within: d.Within, For: d.For, HalfLife: d.HalfLife,
		Adds: d.Adds, Live: d.Live, Finished: d.Finished, Caps: slices.Clone(d.Caps), Day: d.Day,
		Steps: slices.Sorted(slices.Values(d.Steps)),
	}
	slices.SortFunc(m.Caps, func(a, b CapDef) int { return cmp.Compare(a.Group, b.Group) })
	for _, p := range d.Points {
		m.Points = append(m.Points, PointsDef{Points: p.Points, Group: p.Group})
	}
	return m
}

func (m *meaning) hash() (string, error) {
	slices.SortFunc(m.Steps, func(a, b stepMeaning) int { return cmp.Compare(a.ID, b.ID) })
	slices.Sort(m.Exclude)
	slices.SortFunc(m.Segments, func(a, b segmentMeaning) int { return cmp.Compare(a.Name, b.Name) })
	b, err := json.Marshal(m)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16]), nil
}

// propertiesMeant returns the declared properties with their sources written out.
func propertiesMeant(def *Definition) []PropertyDef {
	properties := slices.Clone(def.Properties)
	for i := range properties {
		p := &properties[i]
		p.From = slices.Clone(p.From)
		for j := range p.From {
			p.From[j].Property = cmp.Or(p.From[j].Property, p.Name)
		}
	}
	return properties
}

// key identifies something in encoded states by a hash of what makes it itself.
func key(parts ...string) uint32 {
	h := fnv.New32a()
	for _, p := range parts {
		_, _ = h.Write([]byte(p))
		_, _ = h.Write([]byte{0})
	}
	return h.Sum32()
}
