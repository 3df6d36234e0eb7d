// Package demo shows the whole pipeline on sample data, in one process without any service: an embedded Kafka and Redis,
// the stages as in production, and in the end what a person wants to know.
//
// What it writes depends on its options only: the same ones give the same bytes on every machine.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/pqlstream/pqlstream/config/checklists"
	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/app"
	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/embedded"
	"github.com/pqlstream/pqlstream/pkg/kafka"
	"github.com/pqlstream/pqlstream/pkg/simulate"
	"github.com/pqlstream/pqlstream/schemas"
)

// Options are what a demo is made of. Zero values of Seed, Accounts and Days are those of simulate.Options.
type Options struct {
	Seed     uint64
	Accounts int
	Days     int
	Dir      string       // where Kafka keeps its data, for a later demo of the same sizes; empty: in memory
	Out      io.Writer    // what people read
	Log      *slog.Logger // of the pipeline
}

const (
	topic      = "usage"
	partitions = 4
)

// ErrStopped says that the demo was stopped before its end.
var ErrStopped = errors.New("stopped before the end")

// maxDays keeps the sample data within what may be configured to lie in the future.
const maxDays = 365

// Run shows the demo. With a folder it goes on where the one before ended, and shows everything again.
func Run(ctx context.Context, o Options) error {
	sample, err := simulate.New(simulate.Options{Seed: o.Seed, Accounts: o.Accounts, Days: o.Days})
	if err != nil {
		return err
	}
	if days := sample.Options().Days; days > maxDays {
		return fmt.Errorf("days: %d are more than %d", days, maxDays)
	}
	data, err := openDir(o.Dir, sample.Options())
	if err != nil {
		return err
	}
	servers, err := embedded.Start(embedded.Options{Dir: data})
	if err != nil {
		return err
	}
	defer servers.Close()
	work, err := os.MkdirTemp("", "pqlstream-demo-")
	if err != nil {
		return fmt.Errorf("making a folder for checklist and schemas: %w", err)
	}
	defer os.RemoveAll(work)
	c, err := settings(servers, work)
	if err != nil {
		return err
	}
	err = show(ctx, &o, sample, c)
	if ctx.Err() != nil {
		return ErrStopped
	}
	return err
}

// settings are those of a process on the embedded servers. It finds checklist and schemas in the work folder.
func settings(servers *embedded.Servers, work string) (*config.Config, error) {
	c := config.Default()
	c.Checklist = filepath.Join(work, "demo.yaml")
	if err := os.WriteFile(c.Checklist, checklists.Demo, 0o600); err != nil {
		return nil, fmt.Errorf("writing the checklist: %w", err)
	}
	c.Registry.Directory = filepath.Join(work, "schemas")
	if err := schemas.Export(c.Registry.Directory); err != nil {
		return nil, err
	}
	c.Kafka.Brokers, c.Kafka.CreateTopics, c.Kafka.FetchMaxWait = servers.Brokers(), true, 20*time.Millisecond
	c.Redis.Addresses, c.Redis.Buckets = []string{servers.RedisAddr()}, 64
	c.Input.Sources = []config.Source{{Topic: topic, Format: config.Avro}}
	c.Runtime.CheckpointInterval = 100 * time.Millisecond // leads are shown as far as checkpoints have come
	c.Runtime.FutureTolerance = maxDays * 24 * time.Hour  // the calendar of the sample data is its own
	c.HTTP.Address, c.API.Address = "127.0.0.1:0", "127.0.0.1:0"
	return c, c.Validate()
}

// show puts the sample data onto the topic, runs the pipeline over it, and prints what becomes of it.
func show(ctx context.Context, o *Options, sample *simulate.Sample, c *config.Config) error {
	client, err := kafka.NewClient(c.Kafka, o.Log)
	if err != nil {
		return err
	}
	defer client.Close()
	input, err := publish(ctx, client, sample)
	if err != nil {
		return err
	}
	rules, err := app.LoadChecklist(c.Checklist)
	if err != nil {
		return err
	}
	printIntroduction(o.Out, sample.Options(), rules, input.events)
	known, err := process(ctx, o, c, input)
	if err != nil {
		return err
	}
	letters, err := count(ctx, c, o.Log, c.TopicNames().DeadLetters)
	if err != nil {
		return err
	}
	views, err := read(ctx, c, o.Log, known, endOf(sample.Options()))
	if err != nil {
		return err
	}
	summarize(views, rules).print(o.Out, input.events, letters)
	return nil
}

// process runs the pipeline until it has folded all of the input, and prints the leads meanwhile. It returns the
// accounts that anything became known of, in the order that it did.
func process(ctx context.Context, o *Options, c *config.Config, in *input) (known []string, err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ready := make(chan struct{})
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return app.Run(ctx, c, o.Log, app.OnReady(func() { close(ready) })) })
	group.Go(func() error {
		defer stop()
		select {
		case <-ready:
		case <-ctx.Done():
			return nil // the pipeline says why
		}
		seen := map[string]bool{}
		return follow(ctx, c, o.Log, in, func(f *account.Fact) {
			if !seen[f.AccountID] {
				seen[f.AccountID], known = true, append(known, f.AccountID)
			}
			printFact(o.Out, f)
		})
	})
	err = group.Wait()
	return known, err
}

// read returns how accounts stand in Redis.
func read(ctx context.Context, c *config.Config, log *slog.Logger, ids []string, at int64) ([]account.View, error) {
	accounts, err := app.OpenAccounts(ctx, c, log)
	if err != nil {
		return nil, err
	}
	defer accounts.Close()
	views := make([]account.View, len(ids))
	for i, id := range ids {
		if views[i], err = accounts.Get(ctx, id, at); err != nil {
			return nil, err
		}
	}
	return views, nil
}

// endOf is when the sample data ends, ms since the Unix epoch.
func endOf(o simulate.Options) int64 { return o.Epoch.AddDate(0, 0, o.Days).UnixMilli() }
