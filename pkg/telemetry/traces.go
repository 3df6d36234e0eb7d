package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/tracing"
)

// Traces takes spans to a collector, by OpenTelemetry's SDK: in the background, some at a time. What can't be sent is lost: up to 2,048
// spans wait for their turn. The methods may be called by many at a time.
type Traces struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
}

// Bounds of what is tried to reach a collector, before its spans are given up.
const (
	exportTimeout = 10 * time.Second // of a request
	exportRetries = 15 * time.Second // of all that are made for the same spans
)

// NewTraces returns what exports to the collector that the settings name, by OTLP over HTTP. It does not look whether one is there.
func NewTraces(ctx context.Context, c *config.Tracing, log *slog.Logger) (*Traces, error) {
	exporter, err := otlptracehttp.New(ctx,
		otlptracehttp.WithEndpointURL(c.URL()),
		otlptracehttp.WithHeaders(c.HeaderValues()),
		otlptracehttp.WithCompression(otlptracehttp.GzipCompression),
		otlptracehttp.WithTimeout(exportTimeout),
		otlptracehttp.WithRetry(otlptracehttp.RetryConfig{
			Enabled: true, InitialInterval: time.Second, MaxInterval: 5 * time.Second, MaxElapsedTime: exportRetries,
		}))
	if err != nil {
		return nil, fmt.Errorf("tracing.endpoint: %w", err)
	}
	return NewTracesTo(ctx, exporter, log)
}

// NewTracesTo returns what exports by an exporter of OpenTelemetry's. An exporter that fails is told of in the log, once until it works again.
//
// The variables OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say what spans are said to come from.
func NewTracesTo(ctx context.Context, exporter sdk.SpanExporter, log *slog.Logger) (*Traces, error) {
	from, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", "pqlstream")), resource.WithTelemetrySDK(), resource.WithHost(), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("saying what traces come from: %w", err)
	}
	provider := sdk.NewTracerProvider(
		sdk.WithResource(from), sdk.WithSampler(sdk.AlwaysSample()), sdk.WithIDGenerator(given{}), sdk.WithBatcher(&watched{SpanExporter: exporter, log: log}))
	return &Traces{provider: provider, tracer: provider.Tracer("github.com/pqlstream/pqlstream")}, nil
}

// Add takes in a span, to be exported later.
func (t *Traces) Add(s *tracing.Span) {
	ctx := context.WithValue(context.Background(), givenKey{}, s.Context)
	if s.Parent != (tracing.SpanID{}) {
		ctx = trace.ContextWithRemoteSpanContext(ctx, contextOf(tracing.Context{Trace: s.Context.Trace, Span: s.Parent, Flags: s.Context.Flags}))
	}
	links := make([]trace.Link, len(s.Links))
	for i, l := range s.Links {
		links[i].SpanContext = contextOf(l)
	}
	_, span := t.tracer.Start(ctx, s.Name,
		trace.WithTimestamp(s.Start), trace.WithSpanKind(kinds[s.Kind]), trace.WithAttributes(attributesOf(s)...), trace.WithLinks(links...))
	if s.Err != nil {
		span.SetStatus(codes.Error, s.Err.Error())
	}
	span.End(trace.WithTimestamp(s.End))
}

// Close exports what is left, as long as the context lasts.
func (t *Traces) Close(ctx context.Context) {
	_ = t.provider.Shutdown(ctx) // what fails the log has told
}

var kinds = map[tracing.Kind]trace.SpanKind{
	tracing.Internal: trace.SpanKindInternal, tracing.Consumer: trace.SpanKindConsumer, tracing.Producer: trace.SpanKindProducer,
}

func contextOf(c tracing.Context) trace.SpanContext {
	return trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID(c.Trace), SpanID: trace.SpanID(c.Span), TraceFlags: trace.TraceFlags(c.Flags), Remote: true,
	})
}

func attributesOf(s *tracing.Span) []attribute.KeyValue {
	list := make([]attribute.KeyValue, 0, len(s.Attributes))
	for _, a := range s.Attributes {
		switch v := a.Value.(type) {
		case string:
			list = append(list, attribute.String(a.Key, v))
		case int64:
			list = append(list, attribute.Int64(a.Key, v))
		case bool:
			list = append(list, attribute.Bool(a.Key, v))
		}
	}
	return list
}

// given is a source of ids that have been chosen already: the context holds them.
type given struct{}

type givenKey struct{}

func (given) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	c, _ := ctx.Value(givenKey{}).(tracing.Context)
	return trace.TraceID(c.Trace), trace.SpanID(c.Span)
}

func (g given) NewSpanID(ctx context.Context, _ trace.TraceID) trace.SpanID {
	_, id := g.NewIDs(ctx)
	return id
}

// watched is an exporter whose failures are told: when they begin, and when they end.
type watched struct {
	sdk.SpanExporter
	log     *slog.Logger
	failing atomic.Bool
}

func (w *watched) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	switch err := w.SpanExporter.ExportSpans(ctx, spans); {
	case err != nil && !w.failing.Swap(true):
		w.log.Warn("traces are lost, as they can't be exported; nothing else is affected", "error", err)
	case err == nil && w.failing.Swap(false):
		w.log.Info("traces are exported again")
	}
	return nil
}
