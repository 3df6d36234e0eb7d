package redisstate

import (
	"context"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/pqlstream/pqlstream/pkg/state"
)

// pageSize is how many entries of a bucket Redis is asked for at a time, about.
const pageSize = 500

// Each implements state.Reader. Redis promises of each bucket that a scan meets what is there from its beginning to its
// end; that the mirror is the same one all the time is looked at with every page.
func (s *Store) Each(ctx context.Context, p state.Partition, visit func([]state.Entry) error) error {
	generation := any(nil)
	for bucket := range s.buckets {
		for cursor, more := uint64(0), true; more; more = cursor != 0 {
			page, err := s.page(ctx, p, bucket, cursor)
			switch {
			case err != nil:
				return fmt.Errorf("reading all of %s: %w", describe(p), err)
			case generation == nil:
				generation = page.generation
			case generation != page.generation:
				return fmt.Errorf("reading all of %s: %w", describe(p), mismatch("it was built anew"))
			}
			cursor = page.next
			if len(page.entries) == 0 {
				continue
			}
			if err := visit(page.entries); err != nil {
				return err
			}
		}
	}
	return nil
}

// page is some of a bucket's entries.
type page struct {
	generation any
	entries    []state.Entry
	next       uint64 // the cursor of the page after it; 0: there is none
}

// page reads a page and whose it is as of one moment.
func (s *Store) page(ctx context.Context, p state.Partition, bucket int, cursor uint64) (page, error) {
	base := s.base(p)
	key := base + strconv.Itoa(bucket)
	var meta *redis.SliceCmd
	var sentinel *redis.StringCmd
	var scan *redis.ScanCmd
	_, err := s.client.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
		meta = pipe.HMGet(ctx, base+"meta", "identity", "buckets", "ready", "generation")
		sentinel = pipe.HGet(ctx, key, "")
		scan = pipe.HScan(ctx, key, cursor, "", pageSize)
		return nil
	})
	if err != nil && err != redis.Nil { //nolint:errorlint // go-redis returns it bare
		return page{}, err
	}
	of := meta.Val()
	switch {
	case len(of) != 4:
		return page{}, fmt.Errorf("meta answered with %d values", len(of))
	case of[0] != nil && of[0] != p.Identity:
		return page{}, foreign(of[0])
	case of[2] != "1" || of[1] != strconv.Itoa(s.buckets):
		return page{}, mismatch("it is not ready")
	case sentinel.Val() != of[3]:
		return page{}, mismatch("a bucket is lost")
	}
	fields, next := scan.Val()
	found := page{generation: of[3], next: next}
	for i := 0; i+1 < len(fields); i += 2 {
		if fields[i] != "" { // that is the sentinel
			found.entries = append(found.entries, state.Entry{Key: fields[i], Value: []byte(fields[i+1])})
		}
	}
	return found, nil
}
