package deadletter

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/stream"
)

// Listing is what a query has found.
type Listing struct {
	Letters []*Letter // the newest first
	Total   int       // that there are
	Foreign int       // records of the topic that are no dead letters, of all times
}

// List reads the committed records of a topic of dead letters and returns the newest that a query asks for, at most so many; 0: all. It holds
// no more than twice as many in memory. read is told how many records were read.
func List(ctx context.Context, client *kgo.Client, topic string, q Query, limit int, read func(records int)) (*Listing, error) {
	found := &Listing{}
	foreign, err := each(ctx, client, topic, read, func(l *Letter) {
		if !q.takes(l) {
			return
		}
		found.Total++
		found.Letters = append(found.Letters, l)
		if limit > 0 && len(found.Letters) >= 2*limit {
			found.keep(limit)
		}
	})
	if err != nil {
		return nil, err
	}
	found.Foreign = foreign
	found.keep(limit)
	return found, nil
}

// each shows all letters of a topic, and returns how many of its records are none.
func each(ctx context.Context, client *kgo.Client, topic string, read func(records int), show func(*Letter)) (foreign int, err error) {
	records := 0
	err = stream.ReadTopic(ctx, client, topic, func(r *kgo.Record) error {
		records++
		read(records)
		letter, err := codec.DecodeDeadLetter(r.Value)
		if err != nil {
			foreign++
			return nil
		}
		show(&Letter{letter})
		return nil
	})
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		return 0, fmt.Errorf("there is no topic %s; run `pqlstream topics create`", topic)
	}
	if err != nil {
		return 0, fmt.Errorf("reading dead letters: %w", err)
	}
	return foreign, nil
}

// keep sorts the letters, and leaves out those that are too many.
func (f *Listing) keep(limit int) {
	slices.SortFunc(f.Letters, newestFirst)
	if limit > 0 && len(f.Letters) > limit {
		clear(f.Letters[limit:])
		f.Letters = f.Letters[:limit]
	}
}
