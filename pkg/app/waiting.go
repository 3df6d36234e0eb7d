package app

import (
	"context"
	"errors"
	"io"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/state"
)

const (
	firstWait  = 250 * time.Millisecond // between two tries at first
	longestOne = 5 * time.Second
	tryTimeout = 10 * time.Second // of one try
	tellAgain  = time.Minute      // that something is still waited for
)

// await repeats a call while its errors are of those that pass by themselves. The process says what it waits for
// meanwhile, and its log says so at the beginning and once a minute.
func (a *App) await(ctx context.Context, what string, passes func(error) bool, call func(context.Context) error) error {
	defer a.ready.Clear(what)
	var told time.Time
	for wait := firstWait; ; wait = min(2*wait, longestOne) {
		attempt, cancel := context.WithTimeout(ctx, tryTimeout)
		err := call(attempt)
		cancel()
		if err == nil || ctx.Err() != nil || !passes(err) {
			return err
		}
		a.ready.Set(what, err.Error())
		if time.Since(told) >= tellAgain {
			a.log.Warn("waiting", "for", what, "error", err)
			told = time.Now()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// Which errors pass by themselves depends on who is asked.

func always(error) bool { return true }

// notRefused is for Redis: everything but a server that is not fit to be relied on.
func notRefused(err error) bool {
	_, refused := errors.AsType[*state.Refused](err)
	return !refused
}

// unavailable is for a schema registry.
func unavailable(err error) bool { return errors.Is(err, codec.ErrUnavailable) }

// outOfReach is for Kafka: a broker that does not answer, or that can't answer yet.
func outOfReach(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, io.EOF) || kerr.IsRetriable(err) {
		return true
	}
	var network net.Error
	return errors.As(err, &network) || kgo.IsRetryableBrokerErr(err)
}

const (
	firstInterval = 5 * time.Millisecond // until the process is ready for the first time
	watchInterval = 50 * time.Millisecond
	probeInterval = time.Second
	probeTimeout  = 5 * time.Second
)

// watch keeps readiness up to date with the stages, and tells when the process is ready for the first time.
func (a *App) watch(ctx context.Context) {
	tick := time.NewTicker(firstInterval)
	defer tick.Stop()
	told, shown := false, map[string]bool{}
	for {
		waiting := map[string]bool{}
		for _, s := range a.stages {
			for name, what := range s.Waiting() {
				waiting[name] = true
				a.ready.Set(name, what)
			}
		}
		for name := range shown {
			if !waiting[name] {
				a.ready.Clear(name)
			}
		}
		shown = waiting
		if !told && len(a.ready.Waiting()) == 0 {
			told = true
			tick.Reset(watchInterval)
			a.log.Info("ready")
			a.onReady()
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// probe asks Kafka and Redis now and then whether they are there and still fit. The stages notice by themselves once
// they have something to do; a process that is idle would go on to call itself ready.
func (a *App) probe(ctx context.Context) {
	tick := time.NewTicker(probeInterval)
	defer tick.Stop()
	down := map[string]bool{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		a.probeOne(ctx, "kafka", down, a.reachKafka)
		if a.store != nil {
			a.probeOne(ctx, "redis", down, a.store.Check)
		}
	}
}

func (a *App) probeOne(ctx context.Context, what string, down map[string]bool, call func(context.Context) error) {
	attempt, cancel := context.WithTimeout(ctx, probeTimeout)
	err := call(attempt)
	cancel()
	switch {
	case ctx.Err() != nil:
	case err != nil:
		a.ready.Set(what, err.Error())
		if !down[what] {
			a.log.Warn("not ready", "waiting_for", what, "error", err)
		}
		down[what] = true
	case down[what]:
		a.ready.Clear(what)
		a.log.Info("is back", "what", what)
		down[what] = false
	}
}
