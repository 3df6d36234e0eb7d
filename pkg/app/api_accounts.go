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
	"github.com/pqlstream/pqlstream/pkg/state"
	"github.com/pqlstream/pqlstream/pkg/stream"
)

// apiAccounts reads accounts for the API over connections of its own: a process need not keep states to tell of them.
type apiAccounts struct {
	c      *config.Config
	redis  redis.UniversalClient
	read   atomic.Pointer[inspect.Accounts] // nil before it is known whose states are the deployment's
	failed atomic.Pointer[error]            // why there will be none; nil: there will
	again  chan struct{}                    // something came: the states are no longer whose they were
}

func newAPIAccounts(c *config.Config) *apiAccounts {
	return &apiAccounts{c: c, again: make(chan struct{}, 1)}
}

// open keeps it known whose states are the deployment's, until the context ends. An error says that the settings of Redis are wrong.
func (x *apiAccounts) open(ctx context.Context, client *kgo.Client, rules *checklist.Checklist, log *slog.Logger) (err error) {
	if x.redis, err = redisClient(x.c.Redis); err != nil {
		return err
	}
	store, err := newStore(x.redis, x.c)
	if err != nil {
		return err
	}
	engine := account.NewEngine(rules)
	for ctx.Err() == nil {
		x.lookUp(ctx, client, store, engine, log)
		pauseFor(ctx, firstWait) // between two times, however often it is asked for
		select {
		case <-x.again:
		case <-ctx.Done():
		}
	}
	return nil
}

// lookUp asks Kafka whose states are the deployment's, until it is told.
func (x *apiAccounts) lookUp(ctx context.Context, client *kgo.Client, store state.Reader, engine *account.Engine, log *slog.Logger) {
	input := stream.Input{Topic: x.c.ActivationInput(), Changelog: x.c.TopicNames().ActivationChangelog}
	for wait := firstWait; ctx.Err() == nil; wait = min(2*wait, longestOne) {
		attempt, cancel := context.WithTimeout(ctx, tryTimeout)
		mirrors, err := stream.Mirrors(attempt, client, string(config.Activation), x.c.Group(config.Activation), input)
		cancel()
		if err == nil {
			x.read.Store(inspect.New(inspect.Entities{Store: store, Mirrors: mirrors}, engine))
			return
		}
		log.Warn("the API's accounts wait", "for", err)
		pauseFor(ctx, wait)
	}
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
	return v, x.answered(err)
}

// List implements api.Accounts.
func (x *apiAccounts) List(ctx context.Context, q inspect.Query) (inspect.Page, error) {
	accounts, err := x.now()
	if err != nil {
		return inspect.Page{}, err
	}
	page, err := accounts.List(ctx, q)
	return page, x.answered(err)
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

// answered tells what passes by itself from what else may go wrong. Where the states are of another incarnation of the topics, it has
// looked up anew which there is.
func (x *apiAccounts) answered(err error) error {
	switch {
	case errors.Is(err, state.ErrForeign):
		select {
		case x.again <- struct{}{}:
		default: // it has been asked for
		}
		return fmt.Errorf("%w: it is looked up again whose states are the deployment's: %w", api.ErrUnavailable, err)
	case unanswered(err):
		return fmt.Errorf("%w: Redis does not answer: %w", api.ErrUnavailable, err)
	}
	return err
}

// unanswered says whether a Redis does not answer, or can't yet.
func unanswered(err error) bool {
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, redis.ErrClosed) || errors.Is(err, redis.ErrPoolTimeout) ||
		redis.IsLoadingError(err) || redis.IsClusterDownError(err) || redis.IsMasterDownError(err) || redis.IsTryAgainError(err) ||
		redis.IsReadOnlyError(err) || redis.IsMaxClientsError(err)
}
