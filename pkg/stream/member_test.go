package stream

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

// The client has become another member of the group than the partitions were assigned to. Whose they are now is not
// known, so nothing is committed under the new id, and the process ends.
func TestCommitAsAnotherMemberThanTheAssignments(t *testing.T) {
	t.Parallel()
	eachProtocol(t, func(t *testing.T, protocol []kgo.Opt) {
		w := newWorld(t, 1)
		w.protocol = protocol
		p := w.start(w.options())
		p.awaitOwned(1)
		p.txn.Lock()
		for _, owned := range p.tasks {
			owned.member = "the member that was expelled"
		}
		p.txn.Unlock()
		w.send(0, "a=1", "a=2", "a=3")
		require.ErrorIs(t, p.ended(), errOtherMember)
		offset, _ := w.committed(0)
		require.Zero(t, offset)
	})
}
