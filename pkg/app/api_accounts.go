package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/api"
	"github.com/pqlstream/pqlstream/pkg/checklist"
	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/inspect"
	"github.com/pqlstream/pqlstream/pkg/stream"
)

// apiAccounts reads accounts for the API over connections of its own: a process need not keep states to tell of them.
type apiAccounts struct {
	c      *config.Config
	redis  redis.UniversalClient
	read   atomic.Pointer[inspect.Accounts] // nil before it is known whose states are the deployment's
	failed atomic.Pointer[error]            // why there will be none; nil: there will
}

// open asks Kafka whose states are the deployment's, until it is told. An error says that the settings of Redis are wrong.
func (x *apiAccounts) open(ctx context.Context, client *kgo.Client, rules *checklist.Checklist, log *slog.Logger) (err error) {
	if x.redis, err = redisClient(x.c.Redis); err != nil {
		return err
	}
	store, err := newStore(x.redis, x.c)
	if err != nil {
		return err
	}
	input := stream.Input{Topic: x.c.ActivationInput(), Changelog: x.c.TopicNames().ActivationChangelog}
	for wait := firstWait; ctx.Err() == nil; wait = min(2*wait, longestOne) {
		attempt, cancel := context.WithTimeout(ctx, tryTimeout)
		mirrors, err := stream.Mirrors(attempt, client, string(config.Activation), x.c.Group(config.Activation), input)
		cancel()
		if err == nil {
			x.read.Store(inspect.New(inspect.Entities{Store: store, Mirrors: mirrors}, account.NewEngine(rules)))
			return nil
		}
		log.Warn("the API's accounts wait", "for", err)
		pauseFor(ctx, wait)
	}
	return nil
}

// fail has every request answered with why there are no accounts.
func (x *apiAccounts) fail(err error) { x.failed.Store(&err) }

func (x *apiAccounts) close() {
	if x.redis != nil {
		_ = x.redis.Close()
	}
}

// Get implements api.Accounts.
func (x *apiAccounts) Get(ctx context.Context, id string, at int64) (account.View, error) {
	accounts, err := x.now()
	if err != nil {
		return account.View{}, err
	}
	v, err := accounts.Get(ctx, id, at)
	return v, answered(err)
}

// List implements api.Accounts.
func (x *apiAccounts) List(ctx context.Context, q inspect.Query) (inspect.Page, error) {
	accounts, err := x.now()
	if err != nil {
		return inspect.Page{}, err
	}
	page, err := accounts.List(ctx, q)
	return page, answered(err)
}

func (x *apiAccounts) now() (*inspect.Accounts, error) {
	if accounts := x.read.Load(); accounts != nil {
		return accounts, nil
	}
	if err := x.failed.Load(); err != nil {
		return nil, fmt.Errorf("%w: this process can't read accounts: %w", api.ErrUnavailable, *err)
	}
	return nil, fmt.Errorf("%w: the process waits for Kafka, which says whose states are the deployment's", api.ErrUnavailable)
}

// answered tells a Redis that does not answer from what else may go wrong.
func answered(err error) error {
	var network net.Error
	if errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, redis.ErrClosed) || errors.Is(err, redis.ErrPoolTimeout) {
		return fmt.Errorf("%w: Redis does not answer: %w", api.ErrUnavailable, err)
	}
	return err
}
