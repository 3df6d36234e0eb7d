package demo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/app"
	"github.com/pqlstream/pqlstream/pkg/kafka"
	"github.com/pqlstream/pqlstream/pkg/report"
	"github.com/pqlstream/pqlstream/pkg/rollup"
)

// tell prints what the pipeline makes of the history while it does, then what has come of it, and what happens from then on.
func (d *demo) tell(ctx context.Context, client *kgo.Client) error {
	f, err := newFollower(d.c, d.Log, d.data)
	if err != nil {
		return err
	}
	defer f.close()
	var known []string
	seen := map[string]bool{}
	err = f.history(ctx, func(fact *account.Fact) {
		if !seen[fact.AccountID] {
			seen[fact.AccountID], known = true, append(known, fact.AccountID)
		}
		printFact(d.Out, fact)
	})
	if err == nil {
		err = d.printMetrics(ctx, client)
	}
	if err == nil {
		err = d.printSummary(ctx, known)
	}
	if ctx.Err() != nil {
		return nil
	}
	d.told = err == nil
	if err != nil || !d.Live {
		return err
	}
	return d.goOn(ctx, client, f)
}

func (d *demo) printSummary(ctx context.Context, known []string) error {
	letters, err := count(ctx, d.c, d.Log, d.c.TopicNames().DeadLetters)
	if err != nil {
		return err
	}
	views, err := d.accountsOf(ctx, known)
	if err != nil {
		return err
	}
	summarize(views, d.rules).print(d.Out, d.data.events, letters)
	return nil
}

// shownWeeks is how far back the tables of metrics go.
const shownWeeks = "6w"

// printMetrics prints the four metrics, once they hold all of the history.
func (d *demo) printMetrics(ctx context.Context, client *kgo.Client) error {
	for _, r := range kafka.Readings(d.c) {
		if err := awaitEnd(ctx, client, r); err != nil {
			return err
		}
	}
	from, err := report.ParseBound(shownWeeks)
	if err != nil {
		return err
	}
	catalog := report.NewCatalog(report.Query{
		Metrics: report.Overview, Units: []rollup.Unit{rollup.Week}, Zones: d.c.Metrics.Zones[:1], From: from,
	})
	rows, err := app.MetricRows(ctx, d.c, d.Log, catalog.Wants)
	if err != nil {
		return err
	}
	if rows, err = catalog.Select(rows); errors.Is(err, report.ErrNothing) {
		return nil // hardly any data
	} else if err != nil {
		return err
	}
	fmt.Fprint(d.Out, "\nMetrics\n\n")
	style := d.Style
	style.Brief = true
	return report.Print(d.Out, rows, style)
}

// awaitEnd waits until a stage has committed all of what it reads.
func awaitEnd(ctx context.Context, client *kgo.Client, r kafka.Reading) error {
	for {
		lags, err := kafka.Lags(ctx, client, []kafka.Reading{r})
		if err != nil {
			return err
		}
		behind := int64(0)
		for i := range lags {
			behind += lags[i].Records
		}
		if behind == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(followInterval):
		}
	}
}

// goOn has events happen, and prints what becomes of them, until the context ends.
func (d *demo) goOn(ctx context.Context, client *kgo.Client, f *follower) error {
	<-d.served
	printGoingOn(d.Out, d.page)
	if d.Watch != nil {
		d.Watch(d.page)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return d.data.goOn(ctx, client) })
	group.Go(func() error { return f.live(ctx, func(fact *account.Fact) { printFact(d.Out, fact) }) })
	return group.Wait()
}
