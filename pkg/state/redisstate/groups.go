package redisstate

import "github.com/pqlstream/pqlstream/pkg/state"

// groupSize is how many entries a script hands to one HSET or HMGET at most: unpack takes some thousands of arguments,
// fewer on miniredis, and an entry is two.
const groupSize = 100

// chains arranges indexes by bucket, keeping their order within a bucket: head[bucket] is the first index and next[index]
// the one after it, each plus one; 0 ends a chain.
type chains struct {
	head    []int32
	next    []int32
	touched []int // the buckets that have any
}

func newChains(buckets, n int) *chains {
	return &chains{head: make([]int32, buckets), next: make([]int32, n), touched: make([]int, 0, min(buckets, n))}
}

// push puts an index before those that its bucket has.
func (c *chains) push(bucket, i int) {
	if c.head[bucket] == 0 {
		c.touched = append(c.touched, bucket)
	}
	c.next[i] = c.head[bucket]
	c.head[bucket] = int32(i + 1)
}

// groups calls do with the indexes of a bucket, at most groupSize at a time. do must not keep them.
func (c *chains) groups(do func(bucket int, indexes []int)) {
	var group []int
	for _, bucket := range c.touched {
		for i := c.head[bucket]; i != 0; i = c.next[i-1] {
			group = append(group, int(i-1))
			if len(group) == groupSize {
				do(bucket, group)
				group = group[:0]
			}
		}
		if len(group) > 0 {
			do(bucket, group)
			group = group[:0]
		}
	}
}

// chainEntries arranges entries, of a key that comes twice the later only.
func (s *Store) chainEntries(entries []state.Entry) *chains {
	c := newChains(s.buckets, len(entries))
next:
	for i := len(entries) - 1; i >= 0; i-- {
		bucket := s.bucketOf(entries[i].Key)
		for later := c.head[bucket]; later != 0; later = c.next[later-1] {
			if entries[later-1].Key == entries[i].Key {
				continue next
			}
		}
		c.push(bucket, i)
	}
	return c
}

// chainKeys arranges keys.
func (s *Store) chainKeys(keys []string) *chains {
	c := newChains(s.buckets, len(keys))
	for i := len(keys) - 1; i >= 0; i-- {
		c.push(s.bucketOf(keys[i]), i)
	}
	return c
}
