package app

import (
	"context"
	"time"

	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/pipeline"
	"github.com/pqlstream/pqlstream/pkg/stream"
	"github.com/pqlstream/pqlstream/pkg/telemetry"
	"github.com/pqlstream/pqlstream/pkg/tracing"
)

// openTraces makes what exports traces, where the settings name a collector.
func (a *App) openTraces(ctx context.Context) (err error) {
	if a.c.Tracing.Endpoint != "" && a.traces == nil {
		a.traces, err = telemetry.NewTraces(ctx, &a.c.Tracing, a.log)
	}
	return err
}

// closeTraces exports what is left, in a part of the time that a stop may take.
func (a *App) closeTraces() {
	if a.traces == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), a.c.Runtime.ShutdownTimeout/10)
	defer cancel()
	a.traces.Close(ctx)
}

// traced are the stages in which records are followed, by what folding is called there. In those behind them records are added up.
var traced = map[config.Stage]string{config.Ingest: "map", config.Resolve: "resolve user", config.Activation: "fold"}

// trace has a stage follow records that are sampled.
func (a *App) trace(s config.Stage, o *stream.Options) {
	folding, follows := traced[s]
	if a.traces == nil || !follows {
		return
	}
	share, _ := a.c.Tracing.SampleRatio.Value() // validated
	t := &pipeline.Traces{
		Stage: string(s), Group: o.Group, Folding: folding, Origin: s == config.Ingest || s == config.Activation && a.c.Direct(),
		Sampler: tracing.NewSampler(share), Exporter: a.traces, Now: time.Now,
	}
	if s == config.Activation {
		t.Entity = pipeline.AttributeAccount
	}
	o.NewProcessor = t.Of(o.NewProcessor)
}
