package telemetry

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/pqlstream/pqlstream/pkg/tracing"
)

func contextIn(t *testing.T, header string) tracing.Context {
	c, ok := tracing.Parse([]byte(header))
	require.True(t, ok)
	return c
}

// Spans are exported as they are, ids and times included.
func TestSpansAreExportedAsTheyAre(t *testing.T) {
	ctx := t.Context()
	exporter := tracetest.NewInMemoryExporter()
	traces, err := NewTracesTo(ctx, exporter, slog.Default())
	require.NoError(t, err)
	own := contextIn(t, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	other := contextIn(t, "00-1af7651916cd43dd8448eb211c80319c-c7ad6b7169203331-01")
	start := time.UnixMilli(1_750_000_000_000)
	traces.Add(&tracing.Span{Context: own, Name: "root", Kind: tracing.Consumer, Start: start, End: start.Add(time.Second), Links: []tracing.Context{other},
		Attributes: []tracing.Attribute{{Key: "text", Value: "a"}, {Key: "number", Value: int64(7)}, {Key: "is", Value: true}}})
	traces.Add(&tracing.Span{Context: own.Child("below"), Parent: own.Span, Name: "below", Kind: tracing.Producer, Start: start, End: start, Err: errors.New("refused")})
	require.NoError(t, traces.provider.ForceFlush(ctx))

	spans := exporter.GetSpans()
	require.Len(t, spans, 2)
	root, below := spans[0], spans[1]
	assert.Equal(t, trace.TraceID(own.Trace), root.SpanContext.TraceID())
	assert.Equal(t, trace.SpanID(own.Span), root.SpanContext.SpanID())
	assert.False(t, root.Parent.IsValid())
	assert.Equal(t, trace.SpanKindConsumer, root.SpanKind)
	assert.Equal(t, []time.Time{start, start.Add(time.Second)}, []time.Time{root.StartTime, root.EndTime})
	require.Len(t, root.Links, 1)
	assert.Equal(t, trace.TraceID(other.Trace), root.Links[0].SpanContext.TraceID())
	require.Len(t, root.Attributes, 3)
	assert.Equal(t, "a", root.Attributes[0].Value.AsString())
	assert.EqualValues(t, 7, root.Attributes[1].Value.AsInt64())
	assert.True(t, root.Attributes[2].Value.AsBool())
	assert.Contains(t, root.Resource.String(), "service.name=pqlstream")
	assert.Equal(t, trace.TraceID(own.Trace), below.SpanContext.TraceID())
	assert.Equal(t, trace.SpanID(own.Child("below").Span), below.SpanContext.SpanID())
	assert.Equal(t, trace.SpanID(own.Span), below.Parent.SpanID())
	assert.Equal(t, trace.SpanKindProducer, below.SpanKind)
	assert.Equal(t, "refused", below.Status.Description)
}

// broken is an exporter that fails, or does not.
type broken struct {
	*tracetest.InMemoryExporter
	err error
}

func (b *broken) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	if b.err != nil {
		return b.err
	}
	return b.InMemoryExporter.ExportSpans(ctx, spans)
}

func TestAnExporterThatFailsIsToldOfOnce(t *testing.T) {
	var log bytes.Buffer
	b := &broken{tracetest.NewInMemoryExporter(), errors.New("out of reach")}
	traces, err := NewTracesTo(t.Context(), b, slog.New(slog.NewTextHandler(&log, nil)))
	require.NoError(t, err)
	export := func() {
		traces.Add(&tracing.Span{Context: contextIn(t, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), Name: "a"})
		require.NoError(t, traces.provider.ForceFlush(t.Context()))
	}
	lines := func() int { return strings.Count(log.String(), "\n") }
	export()
	export()
	require.Equal(t, 1, lines(), log.String())
	assert.Contains(t, log.String(), "out of reach")
	b.err = nil
	export()
	export()
	require.Equal(t, 2, lines(), log.String())
	b.err = errors.New("again")
	export()
	require.Equal(t, 3, lines(), log.String())
}

// Nobody waits for an exporter that hangs.
func TestAnExporterThatHangsHoldsNobodyUp(t *testing.T) {
	h := &hanging{InMemoryExporter: tracetest.NewInMemoryExporter(), release: make(chan struct{})}
	traces, err := NewTracesTo(t.Context(), h, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	for range 10_000 { // more than wait for their turn
		traces.Add(&tracing.Span{Context: contextIn(t, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), Name: "a"})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	traces.Close(ctx)
	close(h.release)
}

type hanging struct {
	*tracetest.InMemoryExporter
	release chan struct{}
}

func (h *hanging) ExportSpans(context.Context, []sdk.ReadOnlySpan) error {
	<-h.release
	return nil
}
