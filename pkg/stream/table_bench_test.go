package stream

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

// BenchmarkTable folds records of 100,000 entities through a cache for half of them: look-up, fold, cut and eviction,
// without a processor's own work.
func BenchmarkTable(b *testing.B) {
	proc := &counter{every: 1 << 30}
	table := newTable(proc, "in", 0, checkpoint{})
	table.maxValue = 1 << 20
	r := &kgo.Record{Key: make([]byte, 8), Value: []byte("1")}
	for n := int64(0); b.Loop(); n++ {
		binary.BigEndian.PutUint64(r.Key, uint64(n)*7919%100_000)
		r.Offset = n
		route, err := proc.Decode(0, r)
		require.NoError(b, err)
		e := table.get(route.Key)
		if e == nil {
			e = table.put(string(route.Key))
		}
		require.NoError(b, table.fold(0, r, route, nil, e))
		if n%10_000 == 9_999 {
			c, err := table.cut(true)
			require.NoError(b, err)
			table.mirrored(c.owners)
			require.True(b, table.evict(50_000, 1<<40))
		}
	}
}
