package app

import (
	"context"
	"log/slog"
	"time"

	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/doctor"
	"github.com/pqlstream/pqlstream/pkg/kafka"
	"github.com/pqlstream/pqlstream/pkg/state/redisstate"
)

// Diagnose looks at everything that the deployment of the settings rests on, with the clients of a process that runs. It waits for no
// service longer than the timeout. An error says that no client can be made: a file that the settings name is not as it has to be.
func Diagnose(ctx context.Context, c *config.Config, timeout time.Duration) (_ *doctor.Report, err error) {
	log := slog.New(slog.DiscardHandler) // what clients complain of is found out anyway
	s := &doctor.Subject{Config: c, Now: time.Now}
	if s.Kafka, err = kafka.NewClient(c.Kafka, log); err != nil {
		return nil, err
	}
	defer s.Kafka.Close()
	if c.KeepsStates() {
		if s.Redis, err = redisClient(c.Redis); err != nil {
			return nil, err
		}
		defer func() { _ = s.Redis.Close() }()
		if s.Store, err = redisstate.New(s.Redis, redisstate.Options{Prefix: c.Prefix, Buckets: c.Redis.Buckets}); err != nil {
			return nil, err
		}
	}
	w := &wiring{app: &App{c: c, log: log}, names: c.TopicNames()}
	if s.Schemas = w.registrations(); c.Registry.URL != "" {
		if s.Registry, err = registryClient(c.Registry); err != nil {
			return nil, err
		}
	}
	return doctor.Examine(ctx, s, timeout), nil
}
