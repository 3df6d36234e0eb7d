package stream

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

// A topic is deleted and created again under a live owner, or given more partitions. The process ends and says so: it
// would sit there, ready, and get nothing to fold, or would fold an account's events in two places.
func TestTopicsThatChangeUnderLiveOwner(t *testing.T) {
	t.Parallel()
	for _, topic := range []string{"in", "log"} {
		t.Run(topic+" created again", func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 1)
			p := w.start(w.options())
			p.awaitOwned(1)
			_, err := w.adm.DeleteTopic(context.Background(), topic)
			require.NoError(t, err)
			_, err = w.adm.CreateTopic(context.Background(), 1, 1, nil, topic)
			require.NoError(t, err)
			if err := p.ended(); topic == "log" {
				requireRefusal(t, err, topic, "created again")
			} else { // its offsets are gone too, which a takeover may meet first
				requireRefusal(t, err)
			}
		})
		t.Run(topic+" given more partitions", func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 1)
			p := w.start(w.options())
			p.awaitOwned(1)
			_, err := w.adm.CreatePartitions(context.Background(), 1, topic)
			require.NoError(t, err)
			requireRefusal(t, p.ended(), topic, "partition")
		})
	}
}
