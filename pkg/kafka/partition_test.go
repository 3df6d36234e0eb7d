package kafka

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/twmb/franz-go/pkg/kgo"
)

// The values are those of Kafka's own test (UtilsTest.testMurmur2).
func TestMurmur2IsKafkas(t *testing.T) {
	for key, want := range map[string]int32{
		"21":                         -973932308,
		"foobar":                     -790332482,
		"a-little-bit-long-string":   -985981536,
		"a-little-bit-longer-string": -1486304829,
		"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
		"abc": 479470107,
	} {
		assert.Equal(t, want, int32(murmur2([]byte(key))), key)
	}
}

func TestPartitionIsTheClients(t *testing.T) {
	theirs := kgo.StickyKeyPartitioner(nil).ForTopic("t")
	random := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		key := make([]byte, random.IntN(40))
		for i := range key {
			key[i] = byte(random.Uint32())
		}
		n := 1 + random.Int32N(100)
		assert.Equal(t, int32(theirs.Partition(&kgo.Record{Key: key}, int(n))), Partition(key, n), "%x of %d", key, n)
	}
}

func BenchmarkPartition(b *testing.B) {
	key := []byte("account-0123456789")
	for b.Loop() {
		Partition(key, 64)
	}
}
