package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/kafka"
	"github.com/pqlstream/pqlstream/pkg/state"
	"github.com/pqlstream/pqlstream/pkg/state/redisstate"
	"github.com/pqlstream/pqlstream/pkg/stream"
)

var (
	// ErrNoAccount says that nothing is known of an account.
	ErrNoAccount = errors.New("no such account")
	// ErrNotReady says that the state of an account can't be read now, because its mirror is incomplete.
	ErrNotReady = errors.New("not ready")
)

// Accounts reads the states of a deployment's accounts from Redis, beside the processes that keep them.
type Accounts struct {
	kafka   *kgo.Client
	redis   redis.UniversalClient
	store   state.Reader
	engine  *account.Engine
	mirrors []state.Partition
}

// OpenAccounts connects to Kafka, which says whose states are the deployment's, and to Redis. Close the result.
func OpenAccounts(ctx context.Context, c *config.Config, log *slog.Logger) (*Accounts, error) {
	rules, err := LoadChecklist(c.Checklist)
	if err != nil {
		return nil, err
	}
	a := &Accounts{engine: account.NewEngine(rules)}
	if err := a.open(ctx, c, log); err != nil {
		a.Close()
		return nil, err
	}
	return a, nil
}

func (a *Accounts) open(ctx context.Context, c *config.Config, log *slog.Logger) (err error) {
	if a.kafka, err = kafka.NewClient(c.Kafka, log); err != nil {
		return err
	}
	if err := kafka.Reach(ctx, a.kafka, c.Kafka); err != nil {
		return err
	}
	input := stream.Input{Topic: c.ActivationInput(), Changelog: c.TopicNames().ActivationChangelog}
	a.mirrors, err = stream.Mirrors(ctx, a.kafka, string(config.Activation), c.Group(config.Activation), input)
	if err != nil {
		return fmt.Errorf("looking up whose states are the deployment's: %w", err)
	}
	if a.redis, err = redisClient(c.Redis); err != nil {
		return err
	}
	a.store, err = redisstate.New(a.redis, redisstate.Options{Prefix: c.Prefix, Buckets: c.Redis.Buckets})
	return err
}

// Close ends the connections.
func (a *Accounts) Close() {
	if a.kafka != nil {
		a.kafka.Close()
	}
	if a.redis != nil {
		_ = a.redis.Close()
	}
}

// Get returns an account as it stands in Redis. The time, in ms since the Unix epoch, decides how many of its users
// count as active. ErrNoAccount, ErrNotReady.
func (a *Accounts) Get(ctx context.Context, id string, at int64) (account.View, error) {
	s, _, err := a.read(ctx, id)
	switch {
	case err != nil:
		return account.View{}, err
	case s == nil:
		return account.View{}, fmt.Errorf("%w: nothing that the checklist listens to has happened in an account %q", ErrNoAccount, id)
	}
	return a.engine.View(s, at), nil
}

// read returns an account's state, nil when there is none, and the position after the last record that has changed it.
func (a *Accounts) read(ctx context.Context, id string) (s *account.State, applied int64, err error) {
	value, err := a.store.Get(ctx, partitionOf(a.mirrors, id), id)
	if err != nil {
		return nil, 0, unreadable("account "+id, err)
	}
	if value == nil {
		return nil, 0, nil
	}
	return a.load(id, value)
}

func (a *Accounts) load(id string, value []byte) (*account.State, int64, error) {
	applied, encoded, err := stream.Unwrap(value)
	if err != nil {
		return nil, 0, fmt.Errorf("reading account %s: %w", id, err)
	}
	s, err := a.engine.Load(id, encoded)
	return s, applied, err
}

// each visits the states of all accounts.
func (a *Accounts) each(ctx context.Context, visit func(id string, s *account.State)) error {
	return eachOf(ctx, a.store, a.mirrors, func(e *state.Entry) error {
		s, _, err := a.load(e.Key, e.Value)
		if err == nil {
			visit(e.Key, s)
		}
		return err
	})
}

// eachOf visits all entries of mirrors.
func eachOf(ctx context.Context, store state.Reader, mirrors []state.Partition, visit func(*state.Entry) error) error {
	for _, p := range mirrors {
		err := store.Each(ctx, p, func(entries []state.Entry) error {
			for i := range entries {
				if err := visit(&entries[i]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return unreadable(fmt.Sprintf("all of partition %d", p.Number), err)
		}
	}
	return nil
}

// partitionOf returns the mirror that holds a key.
func partitionOf(mirrors []state.Partition, key string) state.Partition {
	return mirrors[kafka.Partition([]byte(key), int32(len(mirrors)))]
}

// unreadable says why something could not be read from Redis. ErrNotReady.
func unreadable(what string, err error) error {
	if errors.Is(err, state.ErrMismatch) {
		return fmt.Errorf("%w: the mirror in Redis is being filled from Kafka, which a running pqlstream does by itself: "+
			"try again in a moment (%w)", ErrNotReady, err)
	}
	return fmt.Errorf("reading %s: %w", what, err)
}
