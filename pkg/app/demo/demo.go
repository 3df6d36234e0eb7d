// Package demo shows the whole pipeline on sample data, in one process without any service: an embedded Kafka and Redis,
// the stages as in production, and in the end what a person wants to know. If it is to, it then goes on with events as they
// happen, and serves the API and the page meanwhile.
//
// With an epoch, what it writes depends on its options only: the same ones give the same bytes on every machine.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/app"
	"github.com/pqlstream/pqlstream/pkg/checklist"
	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/embedded"
	"github.com/pqlstream/pqlstream/pkg/kafka"
	"github.com/pqlstream/pqlstream/pkg/report"
)

// Options are what a demo is made of.
type Options struct {
	Seed     uint64
	Accounts int       // that sign up; 0: 300
	Days     int       // that the data spans; 0: 60
	Epoch    time.Time // the day that the data begins on; zero: so many days ago, so that it ends now
	Dir      string    // where Kafka keeps its data, for a later demo of the same sizes; empty: in memory

	// Live has the demo go on until the context ends, with the API and the page, and with events as they happen.
	Live     bool
	Watch    func(address string) // called with the page's address (a URL) once there is all to see; nil: nobody is to be told
	Settings func(*config.Config) // called with what the process runs with; nil: nobody is to be told
	Version  string               // of the program

	Out   io.Writer    // what people read
	Style report.Style // of the metrics' tables
	Log   *slog.Logger // of the pipeline
}

const (
	topic      = "usage"
	partitions = 4
)

// ErrStopped says that the demo was stopped before its end. One that is live has none: once all is told it may be stopped.
var ErrStopped = errors.New("stopped before the end")

// maxDays keeps the sample data within what may be configured to lie in the future.
const maxDays = 365

// demo is one run.
type demo struct {
	Options
	c      *config.Config
	data   *data
	rules  *checklist.Checklist
	page   string // its URL; empty: none is served
	served chan struct{}
	told   bool // all that there was at first
}

// Run shows the demo. With a folder it goes on where the one before ended, and shows everything again.
func Run(ctx context.Context, o Options) error {
	d := &demo{Options: o, served: make(chan struct{})}
	var err error
	if d.data, err = newData(&o, time.Now()); err != nil {
		return err
	}
	folder, err := openDir(o.Dir, d.data)
	if err != nil {
		return err
	}
	servers, err := embedded.Start(embedded.Options{Dir: folder})
	if err != nil {
		return err
	}
	defer servers.Close()
	work, err := os.MkdirTemp("", "pqlstream-demo-")
	if err != nil {
		return fmt.Errorf("making a folder for checklist and schemas: %w", err)
	}
	defer os.RemoveAll(work)
	if d.c, err = d.settings(servers, work); err != nil {
		return err
	}
	err = d.show(ctx)
	if ctx.Err() != nil && !d.told {
		return ErrStopped
	}
	return err
}

// show puts the sample data onto the topic, runs the pipeline over it, and prints what becomes of it.
func (d *demo) show(ctx context.Context) (err error) {
	client, err := kafka.NewClient(d.c.Kafka, d.Log)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := d.data.publish(ctx, client); err != nil {
		return err
	}
	if d.rules, err = app.LoadChecklist(d.c.Checklist); err != nil {
		return err
	}
	printIntroduction(d.Out, d.data, d.rules)

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ready := make(chan struct{})
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		return app.Run(ctx, d.c, d.Log, app.Version(d.Version), app.OnReady(func() { close(ready) }), app.OnServing(func(address string) {
			d.page = "http://" + address + "/"
			close(d.served)
		}))
	})
	group.Go(func() error {
		defer stop()
		select {
		case <-ready:
			return d.tell(ctx, client)
		case <-ctx.Done():
			return nil // the pipeline says why
		}
	})
	return group.Wait()
}

// accountsOf returns how accounts stood in Redis at the end of the history.
func (d *demo) accountsOf(ctx context.Context, ids []string) ([]account.View, error) {
	accounts, err := app.OpenAccounts(ctx, d.c, d.Log)
	if err != nil {
		return nil, err
	}
	defer accounts.Close()
	views := make([]account.View, len(ids))
	for i, id := range ids {
		if views[i], err = accounts.Get(ctx, id, d.data.until()); err != nil {
			return nil, err
		}
	}
	return views, nil
}
