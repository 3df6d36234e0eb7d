package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"time"

	"github.com/linkedin/goavro/v2"
	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/usage"
	"github.com/pqlstream/pqlstream/test/bench/job"
)

// worker folds one partition.
type worker struct {
	client  *kgo.Client
	store   *redis.Client
	codec   *goavro.Codec
	batches chan []*kgo.Record
	done    chan struct{}
}

type account struct {
	job.Account
	changed bool
}

type pql struct {
	AccountID  string `json:"account_id"`
	Tier       string `json:"tier"`
	Done       int    `json:"done"`
	EventID    string `json:"event_id"`
	OccurredAt int64  `json:"occurred_at"`
}

func (w *worker) run() {
	for records := range w.batches {
		if err := w.batch(context.Background(), records); err != nil {
			log.Fatal(err) // it has not been committed
		}
	}
	close(w.done)
}

// batch publishes a PQL before the state that says so: a crash in between repeats it rather than loses it.
func (w *worker) batch(ctx context.Context, records []*kgo.Record) error {
	events, err := w.decode(records)
	if err != nil {
		return err
	}
	accounts, err := w.load(ctx, events)
	if err != nil {
		return err
	}
	pqls, err := fold(events, accounts)
	if err != nil {
		return err
	}
	if err := w.client.ProduceSync(ctx, pqls...).FirstErr(); err != nil {
		return err
	}
	if err := w.save(ctx, accounts); err != nil {
		return err
	}
	w.client.MarkCommitRecords(records...)
	return nil
}

// decode returns the events that belong to a step.
func (w *worker) decode(records []*kgo.Record) ([]usage.Event, error) {
	events := make([]usage.Event, 0, len(records))
	for _, r := range records {
		native, _, err := w.codec.NativeFromBinary(r.Value[job.HeaderSize:])
		if err != nil {
			return nil, fmt.Errorf("%s-%d@%d: %w", r.Topic, r.Partition, r.Offset, err)
		}
		fields := native.(map[string]any)
		name := fields["event"].(string)
		if !job.Relevant(name) {
			continue
		}
		e := usage.Event{
			ID: fields["event_id"].(string), AccountID: fields["account_id"].(string), UserID: fields["user_id"].(string), Name: name,
			OccurredAt: fields["occurred_at"].(time.Time).UnixMilli(), Quantity: fields["quantity"].(float64),
		}
		if size, ok := fields["properties"].(map[string]any)["company_size"]; ok {
			e.Properties = []usage.Property{{Key: "company_size", Value: usage.StringValue(size.(string))}}
		}
		events = append(events, e)
	}
	return events, nil
}

// load reads the accounts of the events in one round trip.
func (w *worker) load(ctx context.Context, events []usage.Event) (map[string]*account, error) {
	accounts := make(map[string]*account, len(events))
	var keys []string
	for i := range events {
		if id := events[i].AccountID; accounts[id] == nil {
			accounts[id] = &account{}
			keys = append(keys, id)
		}
	}
	if len(keys) == 0 {
		return accounts, nil
	}
	blobs, err := w.store.MGet(ctx, keys...).Result()
	if err != nil {
		return nil, err
	}
	for i, blob := range blobs {
		if blob == nil {
			continue
		}
		if err := accounts[keys[i]].Load([]byte(blob.(string))); err != nil {
			return nil, fmt.Errorf("account %s: %w", keys[i], err)
		}
	}
	return accounts, nil
}

func fold(events []usage.Event, accounts map[string]*account) (pqls []*kgo.Record, err error) {
	for i := range events {
		e := &events[i]
		a := accounts[e.AccountID]
		changed, qualifies := a.Apply(e)
		a.changed = a.changed || changed
		if !qualifies {
			continue
		}
		value, err := json.Marshal(pql{e.AccountID, a.Tier(), a.Steps(), e.ID, e.OccurredAt})
		if err != nil {
			return nil, err
		}
		pqls = append(pqls, &kgo.Record{Key: []byte(e.AccountID), Value: value})
	}
	return pqls, nil
}

// save writes the accounts that changed in one round trip.
func (w *worker) save(ctx context.Context, accounts map[string]*account) error {
	pairs := make([]any, 0, 2*len(accounts))
	for id, a := range accounts {
		if a.changed {
			pairs = append(pairs, id, a.Append(nil))
		}
	}
	if len(pairs) == 0 {
		return nil
	}
	return w.store.MSet(ctx, pairs...).Err()
}
