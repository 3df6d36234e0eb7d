package stream

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

// The counter's third output of a key is awaited, its sixth is lazy, its ninth is awaited again.
func countUp(t *testing.T, x *task, from int64, keys ...string) {
	t.Helper()
	var records []*kgo.Record
	for i, key := range keys {
		records = append(records, &kgo.Record{Topic: "in", Offset: from + int64(i), Key: []byte(key), Value: []byte("1000"), Timestamp: time.UnixMilli(5000 + from)})
	}
	require.NoError(t, x.fold(t.Context(), records))
}

func times(n int, keys ...string) (all []string) {
	for range n {
		all = append(all, keys...)
	}
	return all
}

func published(c *cut) (all []string) {
	for _, o := range c.outputs {
		n := 0
		_, _ = fmt.Sscanf(string(o.Value), "n=%d", &n)
		all = append(all, fmt.Sprint(string(o.Key), n))
	}
	return all
}

func TestLazyOutputsAskForNoEmission(t *testing.T) {
	x := modelTask(&counter{every: 3}, "in", 0, checkpoint{})
	x.table.evicted = &keySet{} // nothing is in the mirror
	countUp(t, x, 0, times(3, "a", "b")...)
	_, err := x.table.cut(true)
	require.NoError(t, err)

	countUp(t, x, 6, times(3, "a", "b")...)
	emission, progress := x.table.wants()
	assert.False(t, emission)
	assert.True(t, progress)
	assert.True(t, x.table.since.IsZero(), "nobody waits")
	c, err := x.table.cut(true)
	require.NoError(t, err)
	assert.Equal(t, []string{"a6", "b6"}, published(c), "a checkpoint holds all")
	assert.Empty(t, x.table.makers)
	assert.Zero(t, x.table.output)
}

// An emission takes along what its entities have told lazily, before what they are there for, and leaves what others have.
func TestAnEmissionHoldsAllOutputsOfItsEntities(t *testing.T) {
	x := modelTask(&counter{every: 3}, "in", 0, checkpoint{})
	x.table.evicted = &keySet{} // nothing is in the mirror
	countUp(t, x, 0, times(5, "a", "b")...)
	_, err := x.table.cut(true)
	require.NoError(t, err)

	countUp(t, x, 10, "b", "a", "a", "a", "a") // b6, a6 are lazy, a9 is not
	emission, _ := x.table.wants()
	assert.True(t, emission)
	assert.Equal(t, time.UnixMilli(5010), x.table.since)
	c, err := x.table.cut(false)
	require.NoError(t, err)
	assert.Equal(t, []string{"a6", "a9"}, published(c))
	require.Len(t, c.entries, 1)
	assert.Equal(t, "a", c.entries[0].Key)

	emission, _ = x.table.wants()
	assert.False(t, emission)
	assert.Len(t, x.table.outputs, 1)
	assert.Equal(t, x.table.outputs[0].size(), x.table.output)
	c, err = x.table.cut(true)
	require.NoError(t, err)
	assert.Equal(t, []string{"b6"}, published(c))
	require.Len(t, c.entries, 1)
	assert.Equal(t, "b", c.entries[0].Key)
}
