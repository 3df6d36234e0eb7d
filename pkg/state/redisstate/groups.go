package redisstate

import (
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/pqlstream/pqlstream/pkg/state"
)

// chains arranges indexes by bucket, keeping their order within a bucket: head[bucket] is the first index and next[index]
// the one after it, each plus one; 0 ends a chain. It can be used again.
type chains struct {
	head    []int32
	next    []int32
	hashes  []uint64 // of the keys
	touched []int    // the buckets that have any
	listed  []int32  // of an entry, the one of its key that says last which lists it is on, plus one; 0: none does
	relists bool     // some entry does
}

func (c *chains) reset(buckets, n int) {
	for _, bucket := range c.touched {
		c.head[bucket] = 0
	}
	if len(c.head) != buckets {
		c.head = make([]int32, buckets)
	}
	c.touched = slices.Grow(c.touched[:0], min(buckets, n))
	c.next = slices.Grow(c.next[:0], n)[:n]
	c.hashes = slices.Grow(c.hashes[:0], n)[:n]
	c.listed = slices.Grow(c.listed[:0], n)[:n]
	c.relists = false
}

// push puts an index before those that its bucket has.
func (c *chains) push(bucket, i int) {
	if c.head[bucket] == 0 {
		c.touched = append(c.touched, bucket)
	}
	c.next[i] = c.head[bucket]
	c.head[bucket] = int32(i + 1)
}

// chainEntries arranges entries, of a key that comes twice the later only.
func (s *Store) chainEntries(c *chains, entries []state.Entry) {
	c.reset(s.buckets, len(entries))
next:
	for i := len(entries) - 1; i >= 0; i-- {
		hash := xxhash.Sum64String(entries[i].Key)
		c.hashes[i], c.listed[i] = hash, 0
		if entries[i].Relisted || entries[i].Value == nil {
			c.listed[i], c.relists = int32(i+1), true
		}
		bucket := s.bucketOfHash(hash)
		for later := c.head[bucket]; later != 0; later = c.next[later-1] {
			if c.hashes[later-1] == hash && entries[later-1].Key == entries[i].Key {
				if c.listed[later-1] == 0 {
					c.listed[later-1] = c.listed[i]
				}
				continue next
			}
		}
		c.push(bucket, i)
	}
}

// chainKeys arranges keys.
func (s *Store) chainKeys(c *chains, keys []string) {
	c.reset(s.buckets, len(keys))
	for i := len(keys) - 1; i >= 0; i-- {
		c.push(s.bucketOf(keys[i]), i)
	}
}

// bucketOf is part of the layout: changing it needs another prefix.
func (s *Store) bucketOf(key string) int { return s.bucketOfHash(xxhash.Sum64String(key)) }

func (s *Store) bucketOfHash(hash uint64) int { return int(hash % uint64(s.buckets)) }
