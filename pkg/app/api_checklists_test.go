package app

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/api"
)

// However many ask, the topic is read but now and then. What went wrong is not kept.
func TestVersionsOfChecklistsAreKeptForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, reads, trouble := newKeptVersions(), 0, error(nil)
		get := func(ctx context.Context) ([]api.ChecklistVersion, error) {
			return k.get(ctx, func(context.Context) ([]api.ChecklistVersion, error) {
				reads++
				time.Sleep(time.Second)
				return make([]api.ChecklistVersion, reads), trouble
			})
		}
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				got, err := get(t.Context())
				assert.NoError(t, err)
				assert.Len(t, got, 1)
			})
		}
		synctest.Wait()
		hasty, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		_, err := get(hasty)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		all.Wait()
		assert.Equal(t, 1, reads)

		time.Sleep(versionsFor)
		trouble = errors.New("Kafka is away")
		for range 2 {
			_, err := get(t.Context())
			require.ErrorIs(t, err, trouble)
		}
		trouble = nil
		got, err := get(t.Context())
		require.NoError(t, err)
		assert.Len(t, got, 4)
	})
}
