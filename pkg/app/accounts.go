package app

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/inspect"
	"github.com/pqlstream/pqlstream/pkg/kafka"
	"github.com/pqlstream/pqlstream/pkg/state/redisstate"
	"github.com/pqlstream/pqlstream/pkg/stream"
)

// Accounts reads the accounts of a deployment from Redis over connections of its own, beside the processes that keep them.
type Accounts struct {
	*inspect.Accounts
	kafka *kgo.Client
	redis redis.UniversalClient
	store *redisstate.Store
}

// OpenAccounts connects to Kafka, which says whose states are the deployment's, and to Redis. Close the result.
func OpenAccounts(ctx context.Context, c *config.Config, log *slog.Logger) (*Accounts, error) {
	rules, err := LoadChecklist(c.Checklist)
	if err != nil {
		return nil, err
	}
	a := &Accounts{}
	if err := a.open(ctx, c, account.NewEngine(rules), log); err != nil {
		a.Close()
		return nil, err
	}
	return a, nil
}

func (a *Accounts) open(ctx context.Context, c *config.Config, engine *account.Engine, log *slog.Logger) (err error) {
	if a.kafka, err = kafka.NewClient(c.Kafka, log); err != nil {
		return err
	}
	if err := kafka.Reach(ctx, a.kafka, c.Kafka); err != nil {
		return err
	}
	input := stream.Input{Topic: c.ActivationInput(), Changelog: c.TopicNames().ActivationChangelog}
	mirrors, err := stream.Mirrors(ctx, a.kafka, string(config.Activation), c.Group(config.Activation), input)
	if err != nil {
		return fmt.Errorf("looking up whose states are the deployment's: %w", err)
	}
	if a.redis, err = redisClient(c.Redis); err != nil {
		return err
	}
	if a.store, err = newStore(a.redis, c); err != nil {
		return err
	}
	a.Accounts = inspect.New(inspect.Entities{Store: a.store, Mirrors: mirrors}, engine)
	return nil
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
