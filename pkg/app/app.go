// Package app wires a process together from its settings.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/pipeline"
	"github.com/pqlstream/pqlstream/pkg/state"
	"github.com/pqlstream/pqlstream/pkg/stream"
	"github.com/pqlstream/pqlstream/pkg/telemetry"
)

// App is one process: its stages and what they need.
type App struct {
	c       *config.Config
	log     *slog.Logger
	ready   *telemetry.Readiness
	onReady func()

	onServing  func(address string)
	version    string
	started    int64       // ms since the Unix epoch
	definition *definition // nil where nothing goes by a checklist
	api        *apiService // nil: none is served

	client *kgo.Client
	redis  redis.UniversalClient
	store  state.Store

	resolved    pipeline.ResolveStats
	deadLetters *prometheus.CounterVec // by stage and code
	metrics     *metricsView           // nil: nobody asks for metrics
	traces      *telemetry.Traces      // nil: there are none

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

// OnServing has a function called with the address (host:port) of the API, once it is served.
func OnServing(f func(address string)) Option { return func(a *App) { a.onServing = f } }

// Version says of which version the process is.
func Version(v string) Option { return func(a *App) { a.version = v } }

// Run runs a process until the context ends. It waits for what is out of reach, at the start as later, and refuses
// what waiting does not help against with an error that names the remedy. After a stop it returns nil.
func Run(ctx context.Context, c *config.Config, log *slog.Logger, options ...Option) error {
	a := &App{c: c, log: log, ready: &telemetry.Readiness{}, onReady: func() {}, deadLetters: newDeadLetterCounter()}
	a.onServing, a.version, a.started = func(string) {}, "unknown", now()
	a.metrics, a.api = newMetricsView(c, log), newAPIService(a)
	for _, o := range options {
		o(a)
	}
	a.ready.Set("start", "the process is starting")
	run := a.run
	if a.api != nil {
		run = func(ctx context.Context) error { return a.api.serve(ctx, a.run) }
	}
	if c.HTTP.Address == "" {
		return run(ctx)
	}
	return a.serve(ctx, run)
}

// serve runs the process beside its metrics and health, which answer until the end.
func (a *App) serve(ctx context.Context, run func(context.Context) error) error {
	registry := telemetry.NewRegistry()
	registry.MustRegister(a.collectors()...)
	handler := telemetry.Handler(registry, a.ready)
	if a.c.HTTP.Profiling {
		handler = telemetry.WithProfiling(handler)
	}
	server, err := telemetry.Listen("metrics and health", a.c.HTTP.Address, handler, a.log)
	if err != nil {
		return unopened("http.address", err)
	}
	a.log.Info("serving metrics and health", "address", server.Address())
	return beside(ctx, server, run)
}

// unopened says by which setting a server could not be opened.
func unopened(setting string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%w: give this process another %s, or an empty one for none", err, setting)
	}
	return fmt.Errorf("%s: %w", setting, err)
}

// beside runs something while a server answers, until it is over.
func beside(ctx context.Context, server *telemetry.Server, run func(context.Context) error) error {
	serving, stopServing := context.WithCancel(context.WithoutCancel(ctx))
	var served errgroup.Group
	served.Go(func() error { return server.Serve(serving) })
	err := run(ctx)
	stopServing()
	return errors.Join(err, served.Wait())
}

func (a *App) run(ctx context.Context) error {
	defer a.close()
	if err := a.openTraces(ctx); err != nil {
		return err
	}
	w, err := a.prepare(ctx)
	if err == nil {
		err = a.build(ctx, w)
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
	if a.c.Runs(config.Activation) {
		group.Go(func() error { a.publishChecklist(ctx, a.definition); return nil })
	}
	if a.api != nil {
		a.api.open(ctx, group)
	}
	if a.metrics != nil {
		group.Go(func() error { a.metrics.follow(ctx, a.client); return nil })
	}
	group.Go(func() error { a.watch(ctx); return nil })
	group.Go(func() error { a.probe(ctx); return nil })
	return group.Wait()
}

func (a *App) close() {
	a.closeTraces()
	if a.api != nil {
		a.api.close()
	}
	if a.client != nil {
		a.client.Close()
	}
	if a.redis != nil {
		_ = a.redis.Close()
	}
}
