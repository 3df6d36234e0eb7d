// Package deadletter finds dead letters, and sends the records that they hold again.
package deadletter

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"

	"github.com/pqlstream/pqlstream/pkg/codec"
)

// HeaderReplayed is the header of a record that is sent again: the id of the dead letter that it was sent from first. Nothing that counts
// events reads it.
const HeaderReplayed = "pqlstream-replayed"

// Letter is a dead letter.
type Letter struct{ codec.DeadLetter }

// ID says which record it is about: topic-partition@offset.
func (l *Letter) ID() string { return fmt.Sprintf("%s-%d@%d", l.Topic, l.Partition, l.Offset) }

var idForm = regexp.MustCompile(`^[a-zA-Z0-9._-]+-[0-9]+@[0-9]+$`)

// IsID says whether a text can be the ID of a letter.
func IsID(text string) bool { return idForm.MatchString(text) }

// Replays is the ID of the letter that its record was sent again from first, empty where it was not.
func (l *Letter) Replays() string {
	for _, h := range l.Headers {
		if h.Key == HeaderReplayed {
			return string(h.Value)
		}
	}
	return ""
}

// first is the ID of the first letter about the same record.
func (l *Letter) first() string { return cmp.Or(l.Replays(), l.ID()) }

// Size is what the record takes, in bytes: key, headers and value.
func (l *Letter) Size() int {
	n := len(l.Key) + len(l.Value)
	for _, h := range l.Headers {
		n += len(h.Key) + len(h.Value)
	}
	return n
}

// byPosition orders letters as their records lie.
func byPosition(a, b *Letter) int {
	return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
}

// newestFirst orders letters by when they were made.
func newestFirst(a, b *Letter) int {
	return cmp.Or(cmp.Compare(b.FailedAt, a.FailedAt), byPosition(b, a))
}

// Query says which letters are asked for. What is empty asks for all.
type Query struct {
	Codes  []string // what was wrong: the letters' reasons
	Topics []string // of the records
	IDs    []string
	Since  int64 // made then or later, ms since the Unix epoch
	Until  int64 // made before, ms since the Unix epoch
}

func (q *Query) takes(l *Letter) bool {
	among := func(list []string, what string) bool { return len(list) == 0 || slices.Contains(list, what) }
	return l.FailedAt >= q.Since && (q.Until == 0 || l.FailedAt < q.Until) &&
		among(q.Codes, l.Reason) && among(q.Topics, l.Topic) && among(q.IDs, l.ID())
}
