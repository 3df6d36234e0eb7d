package rollup

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The dimensions that every account has. Each other name is a dimension that the checklist declares.
const (
	DimTier      = "tier"
	DimChecklist = "checklist" // its version
	DimSegment   = "segment"   // an account is in the group of each of its segments, or in the one of the empty value
)

const (
	maxDimensions = 8   // of one grouping
	maxGroupings  = 64  // at a time
	maxValue      = 128 // bytes of a dimension's value; longer ones are cut
)

// GroupingName is how a grouping is called: its dimensions with commas between them. The one of all accounts has the empty name.
func GroupingName(dimensions []string) string { return strings.Join(dimensions, ",") }

// groupings knows in which groups an account is that has certain values of the dimensions. Those that some grouping needs make up
// its place: an encoding of their values, in one order.
type groupings struct {
	names      []string
	plain      []string // the dimensions of a place, without DimSegment
	segmented  bool     // a place ends with the segments
	dimensions [][]int  // of each grouping: places in plain; -1: DimSegment
}

func newGroupings(lists [][]string) (*groupings, error) {
	if len(lists) == 0 || len(lists) > maxGroupings {
		return nil, fmt.Errorf("%d groupings: there must be 1 to %d", len(lists), maxGroupings)
	}
	g := &groupings{}
	for _, list := range lists {
		name := GroupingName(list)
		if err := checkGrouping(list); err != nil {
			return nil, fmt.Errorf("grouping %q: %w", name, err)
		}
		if slices.Contains(g.names, name) {
			return nil, fmt.Errorf("grouping %q is there twice", name)
		}
		g.names = append(g.names, name)
		g.dimensions = append(g.dimensions, g.placesOf(list))
	}
	return g, nil
}

func checkGrouping(list []string) error {
	if len(list) > maxDimensions {
		return fmt.Errorf("more than %d dimensions", maxDimensions)
	}
	for i, d := range list {
		if d == "" || strings.Contains(d, ",") {
			return fmt.Errorf("%q is no name of a dimension", d)
		}
		if slices.Contains(list[:i], d) {
			return errors.New(d + " is there twice")
		}
	}
	return nil
}

func (g *groupings) placesOf(list []string) []int {
	places := make([]int, len(list))
	for i, d := range list {
		if d == DimSegment {
			places[i], g.segmented = -1, true
			continue
		}
		if !slices.Contains(g.plain, d) {
			g.plain = append(g.plain, d)
		}
		places[i] = slices.Index(g.plain, d)
	}
	return places
}

// appendPlace appends the place that a fact tells.
func (g *groupings) appendPlace(b []byte, f *Fact) []byte {
	for _, d := range g.plain {
		b = appendText(b, cut(f.dimension(d)))
	}
	if g.segmented {
		b = appendUint(b, uint64(len(f.Segments)))
		for _, s := range f.Segments {
			b = appendText(b, cut(s))
		}
	}
	return b
}

// dimension returns the value of a dimension other than DimSegment, empty where there is none.
func (f *Fact) dimension(name string) string {
	switch name {
	case DimTier:
		return f.Tier
	case DimChecklist:
		return strconv.Itoa(f.Checklist)
	}
	for i := range f.Dimensions {
		if f.Dimensions[i].Name == name {
			return f.Dimensions[i].Value
		}
	}
	return ""
}

// cut shortens a value to what is kept of it: valid UTF-8, without zero bytes, which PostgreSQL has none of in its texts.
func cut(value string) string {
	value = strings.ReplaceAll(value, "\x00", "\uFFFD")
	if len(value) > maxValue {
		value = value[:maxValue]
	}
	return strings.ToValidUTF8(value, "")
}

// groups returns the groups of one grouping that an account at a place is in, each by its values: at least one, none twice.
func (g *groupings) groups(grouping int, place string) [][]string {
	r := reader{b: place}
	values := make([]string, len(g.plain))
	for i := range values {
		values[i] = r.text()
	}
	segments := []string{""}
	if g.segmented && slices.Contains(g.dimensions[grouping], -1) {
		if n := r.count(); n > 0 {
			segments = segments[:0]
			for range n {
				segments = append(segments, r.text())
			}
			slices.Sort(segments)
			segments = slices.Compact(segments)
		}
	}
	all := make([][]string, 0, len(segments))
	for _, segment := range segments {
		group := make([]string, len(g.dimensions[grouping]))
		for i, at := range g.dimensions[grouping] {
			if at < 0 {
				group[i] = segment
			} else {
				group[i] = values[at]
			}
		}
		all = append(all, group)
	}
	return all
}
