// Package app wires a process together from its settings.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/pqlstream/pqlstream/pkg/checklist"
	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/kafka"
	"github.com/pqlstream/pqlstream/pkg/state"
	"github.com/pqlstream/pqlstream/pkg/state/redisstate"
	"github.com/pqlstream/pqlstream/pkg/stream"
	"github.com/pqlstream/pqlstream/pkg/telemetry"
)

// App is one process: its stages and what they need.
type App struct {
	c       *config.Config
	log     *slog.Logger
	ready   *telemetry.Readiness
	onReady func()
	rules   *checklist.Checklist // nil without the activation stage
	client  *kgo.Client
	redis   redis.UniversalClient
	store   state.Store

	mu     sync.Mutex
	stages []*stream.Runtime
}

// running returns the stages, none before they have been built.
func (a *App) running() []*stream.Runtime {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.stages
}

// Option changes how a process runs.
type Option func(*App)

// OnReady has a function called once, when the process is ready for the first time.
func OnReady(f func()) Option { return func(a *App) { a.onReady = f } }

// Run runs a process until the context ends. It waits for what is out of reach, at the start as later, and refuses
// what waiting does not help against with an error that names the remedy. After a stop it returns nil.
func Run(ctx context.Context, c *config.Config, log *slog.Logger, options ...Option) error {
	a := &App{c: c, log: log, ready: &telemetry.Readiness{}, onReady: func() {}}
	for _, o := range options {
		o(a)
	}
	a.ready.Set("start", "the process is starting")
	if c.Runs(config.Activation) { // before anything is waited for
		var err error
		if a.rules, err = LoadChecklist(c.Checklist); err != nil {
			return err
		}
	}
	if c.HTTP.Address == "" {
		return a.run(ctx)
	}
	return a.serve(ctx)
}

// serve runs the process beside its metrics and health, which answer until the end.
func (a *App) serve(ctx context.Context) error {
	registry := telemetry.NewRegistry()
	registry.MustRegister(&collector{a})
	server, err := telemetry.Listen(a.c.HTTP.Address, telemetry.Handler(registry, a.ready), a.log)
	if err != nil {
		return err
	}
	a.log.Info("serving metrics and health", "address", server.Address())
	serving, stopServing := context.WithCancel(context.WithoutCancel(ctx))
	var served errgroup.Group
	served.Go(func() error { return server.Serve(serving) })
	err = a.run(ctx)
	stopServing()
	return errors.Join(err, served.Wait())
}

func (a *App) run(ctx context.Context) error {
	defer a.close()
	err := a.prepare(ctx)
	if err == nil {
		err = a.build(ctx)
	}
	if ctx.Err() != nil {
		return nil // stopped while starting
	}
	if err != nil {
		return err
	}
	a.ready.Clear("start")
	group, ctx := errgroup.WithContext(ctx)
	for _, s := range a.stages {
		group.Go(func() error { return s.Run(ctx) })
	}
	group.Go(func() error { a.watch(ctx); return nil })
	group.Go(func() error { a.probe(ctx); return nil })
	return group.Wait()
}

func (a *App) close() {
	if a.client != nil {
		a.client.Close()
	}
	if a.redis != nil {
		_ = a.redis.Close()
	}
}

// prepare makes sure that Kafka, its topics and Redis are there and fit to be relied on.
func (a *App) prepare(ctx context.Context) (err error) {
	if a.client, err = kafka.NewClient(a.c.Kafka, a.log); err != nil {
		return err
	}
	if err := a.await(ctx, "kafka", always, a.reachKafka); err != nil {
		return err
	}
	if err := a.await(ctx, "kafka", outOfReach, a.checkKafka); err != nil {
		return err
	}
	if !a.c.Runs(config.Activation) {
		return nil
	}
	return a.openStore(ctx)
}

func (a *App) reachKafka(ctx context.Context) error { return kafka.Reach(ctx, a.client, a.c.Kafka) }

// checkKafka refuses a cluster and topics that don't fit. It creates what is missing, if that is wanted.
func (a *App) checkKafka(ctx context.Context) error {
	features, err := kafka.ProbeFeatures(ctx, a.client)
	if err != nil {
		return err
	}
	if err := features.Check(); err != nil {
		return err
	}
	topics := kafka.NewTopics(a.client, a.c.Kafka)
	specs, err := topics.Plan(ctx, a.c)
	if err != nil {
		return err
	}
	if a.c.Kafka.CreateTopics {
		created, err := topics.Create(ctx, specs)
		if err != nil {
			return err
		}
		if len(created) > 0 {
			a.log.Info("created topics", "topics", created)
		}
	}
	warnings, err := topics.Check(ctx, specs)
	for _, w := range warnings {
		a.log.Warn(w)
	}
	return err
}

func (a *App) openStore(ctx context.Context) error {
	client, err := redisClient(a.c.Redis)
	if err != nil {
		return err
	}
	a.redis = client
	store, err := redisstate.New(client, redisstate.Options{Prefix: a.c.Prefix, Buckets: a.c.Redis.Buckets})
	if err != nil {
		return err
	}
	a.store = store
	if err := a.await(ctx, "redis", notRefused, store.Check); err != nil {
		return err
	}
	for _, w := range store.Warnings() {
		a.log.Warn(w)
	}
	return nil
}

// redisClient returns a client of one server or of a cluster.
func redisClient(c config.Redis) (redis.UniversalClient, error) {
	tls, err := c.TLS.Load()
	if err != nil {
		return nil, fmt.Errorf("redis.tls: %w", err)
	}
	return redis.NewUniversalClient(&redis.UniversalOptions{
		Addrs:         c.Addresses,
		IsClusterMode: c.Cluster,
		Username:      c.Username,
		Password:      c.Password.Reveal(),
		DB:            c.Database,
		TLSConfig:     tls,
		Protocol:      2,

		ContextTimeoutEnabled: true, // else a stop waits for a Redis that hangs
	}), nil
}
