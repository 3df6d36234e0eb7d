package app

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/kafka"
	"github.com/pqlstream/pqlstream/pkg/state/redisstate"
)

// prepare makes sure that all that the process needs is there and fit to be relied on. It looks at everything at once: a
// start takes as long as the slowest, and what is wrong with one is not kept back by waiting for another. The checklist
// comes first, before anything is created for it.
func (a *App) prepare(ctx context.Context) (_ *wiring, err error) {
	if err := a.readDefinition(); err != nil {
		return nil, err
	}
	w := &wiring{app: a, names: a.c.TopicNames()}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return w.openKafka(ctx) })
	group.Go(func() error { return w.openSchemas(ctx) })
	if a.c.KeepsStates() {
		group.Go(func() error { return a.openStore(ctx) })
	}
	return w, group.Wait()
}

// readDefinition reads the checklist where something goes by it. A process that runs stages which don't decide needs it for the API
// only, and nothing waits for that.
func (a *App) readDefinition() error {
	decides := a.c.Runs(config.Activation)
	if !decides && (a.api == nil || a.c.Checklist == "") {
		return nil
	}
	d, err := loadDefinition(a.c.Checklist)
	if err == nil {
		err = a.c.CheckWith(d.rules)
	}
	switch {
	case err == nil:
	case decides || len(a.c.Stages) == 0:
		return err
	default:
		a.log.Warn("the API has no checklist to go by", "error", err)
		a.api.withoutChecklist(err)
		return nil
	}
	a.definition = d
	if a.api != nil {
		a.api.definition.Store(d)
	}
	return nil
}

// openKafka connects to Kafka, refuses a cluster and topics that don't fit, and learns what is the same for all stages.
func (w *wiring) openKafka(ctx context.Context) (err error) {
	a := w.app
	if a.client, err = kafka.NewClient(a.c.Kafka, a.log); err != nil {
		return err
	}
	if err := a.await(ctx, "kafka", always, a.reachKafka); err != nil {
		return err
	}
	return a.await(ctx, "kafka", outOfReach, func(ctx context.Context) error {
		if err := w.checkFeatures(ctx); err != nil {
			return err // an unfit cluster is left as it is
		}
		return w.checkTopics(ctx)
	})
}

func (a *App) reachKafka(ctx context.Context) error { return kafka.Reach(ctx, a.client, a.c.Kafka) }

func (w *wiring) checkFeatures(ctx context.Context) error {
	features, err := kafka.ProbeFeatures(ctx, w.app.client)
	if err != nil {
		return err
	}
	if err := features.Check(); err != nil {
		return err
	}
	w.consumerProtocol = kafka.UsesConsumerProtocol(w.app.c.Kafka, features)
	w.group, err = kafka.GroupOptions(w.app.c.Kafka, features)
	return err
}

// checkTopics creates what is missing first, if that is wanted.
func (w *wiring) checkTopics(ctx context.Context) error {
	a := w.app
	topics := kafka.NewTopics(a.client, a.c.Kafka)
	plan, err := topics.Plan(ctx, a.c)
	if err != nil {
		return err
	}
	if a.c.Kafka.CreateTopics && !plan.Complete() {
		created, err := topics.Create(ctx, plan)
		if err != nil {
			return err
		}
		if len(created) > 0 {
			a.log.Info("created topics", "topics", created)
		}
		// Somebody else may have created them, with other settings than ours.
		if plan, err = topics.Plan(ctx, a.c); err != nil {
			return err
		}
	}
	w.partitions = plan.Partitions()
	warnings, err := topics.Check(ctx, plan)
	for _, warning := range warnings {
		a.log.Warn(warning)
	}
	return err
}

func (a *App) openStore(ctx context.Context) error {
	client, err := redisClient(a.c.Redis)
	if err != nil {
		return err
	}
	a.redis = client
	store, err := newStore(client, a.c)
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

// newStore returns the store of a stage whose entities are on certain lists.
func newStore(client redis.UniversalClient, c *config.Config, lists ...string) (*redisstate.Store, error) {
	return redisstate.New(client, redisstate.Options{Prefix: c.Prefix, Buckets: c.Redis.Buckets, Lists: lists})
}
