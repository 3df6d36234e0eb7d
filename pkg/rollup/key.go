package rollup

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// EntityKind says what kind of state belongs to a key.
type EntityKind string

// The kinds of entities.
const (
	DirectoryEntity EntityKind = "directory" // of a grouping: a Directory
	SeriesEntity    EntityKind = "series"    // of the windows of one unit in one zone, for a group: a Series
	WindowEntity    EntityKind = "window"    // one window for a group: a Span
)

// KindOf says what kind of state belongs to a key.
func KindOf(key string) EntityKind {
	kind, _, _ := strings.Cut(key, "|")
	return EntityKind(kind)
}

// address is the window or the windows that an entity is for, and whose.
type address struct {
	zone     string
	unit     Unit
	start    int64 // of a WindowEntity
	grouping string
	group    string
}

// DirectoryKey is the key of a grouping's Directory.
func DirectoryKey(grouping string) string { return joinKey(string(DirectoryEntity), grouping) }

func (a *address) seriesKey() string {
	return joinKey(string(SeriesEntity), a.zone, string(a.unit), a.grouping, a.group)
}

const startLayout = "2006-01-02T15:04:05Z"

func (a *address) windowKey() string {
	return joinKey(string(WindowEntity), a.zone, string(a.unit), time.UnixMilli(a.start).UTC().Format(startLayout), a.grouping, a.group)
}

// parseAddress takes the key of a series or a window apart.
func parseAddress(kind EntityKind, key string) (*address, error) {
	parts, ok := splitKey(key)
	a := &address{}
	switch {
	case ok && kind == SeriesEntity && len(parts) == 5:
		*a = address{zone: parts[1], unit: Unit(parts[2]), grouping: parts[3], group: parts[4]}
		ok = a.seriesKey() == key
	case ok && kind == WindowEntity && len(parts) == 6:
		start, err := time.Parse(startLayout, parts[3])
		*a = address{zone: parts[1], unit: Unit(parts[2]), start: start.UnixMilli(), grouping: parts[4], group: parts[5]}
		ok = err == nil && a.windowKey() == key
	default:
		ok = false
	}
	if !ok {
		return nil, fmt.Errorf("%q is not the key of a %s", key, kind)
	}
	return a, nil
}

var keyEscapes, groupEscapes = strings.NewReplacer(`\`, `\\`, `|`, `\|`), strings.NewReplacer(`\`, `\\`, `,`, `\,`)

// joinKey joins parts with | between them. A | or \ in a part gets a \ before it, what is not UTF-8 becomes U+FFFD.
func joinKey(parts ...string) string {
	var b strings.Builder
	for i, p := range parts {
		if i > 0 {
			b.WriteByte('|')
		}
		if strings.ContainsAny(p, `|\`) {
			p = keyEscapes.Replace(p)
		}
		b.WriteString(strings.ToValidUTF8(p, "\ufffd"))
	}
	return b.String()
}

// splitKey takes a key apart that joinKey has made.
func splitKey(key string) (parts []string, ok bool) {
	var part []byte
	for i := 0; i < len(key); i++ {
		switch c := key[i]; c {
		case '|':
			parts, part = append(parts, string(part)), nil
		case '\\':
			if i++; i == len(key) {
				return nil, false
			}
			part = append(part, key[i])
		default:
			part = append(part, c)
		}
	}
	return append(parts, string(part)), true
}

// GroupName is how a group is called: its values with commas between them. A comma or \ in a value gets a \ before it, and so does
// a value that would be taken for OtherGroup.
func GroupName(values []string) string {
	if len(values) == 1 && values[0] == OtherGroup {
		return `\` + OtherGroup
	}
	escaped := slices.Clone(values)
	for i := range escaped {
		escaped[i] = groupEscapes.Replace(escaped[i])
	}
	return strings.Join(escaped, ",")
}
