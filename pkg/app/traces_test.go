package app

import (
	"cmp"
	"compress/gzip"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	service "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/telemetry"
	"github.com/pqlstream/pqlstream/pkg/tracing"
)

const theirTrace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// seenSpan is a span as its backend sees it; ids are in hexadecimal digits.
type seenSpan struct {
	trace, id, parent, name string
	attributes              map[string]string
	links                   []string
}

// kept is an exporter to memory that forgets nothing when it is closed.
type kept struct{ *tracetest.InMemoryExporter }

func (kept) Shutdown(context.Context) error { return nil }

func (k kept) spans() map[string]seenSpan {
	spans := map[string]seenSpan{}
	for _, s := range k.GetSpans() {
		span := seenSpan{trace: s.SpanContext.TraceID().String(), id: s.SpanContext.SpanID().String(), name: s.Name, attributes: map[string]string{}}
		if s.Parent.IsValid() {
			span.parent = s.Parent.SpanID().String()
		}
		for _, a := range s.Attributes {
			span.attributes[string(a.Key)] = a.Value.String()
		}
		for _, l := range s.Links {
			span.links = append(span.links, l.SpanContext.SpanID().String())
		}
		spans[span.id] = span
	}
	return spans
}

// above are the names of a record's span and those above it, up to what is above all of them.
func above(t *testing.T, spans map[string]seenSpan, r *kgo.Record) (names []string, root string) {
	t.Helper()
	c, ok := tracing.Parse([]byte(headerOf(r, "traceparent")))
	require.True(t, ok, "%s: %v", r.Topic, r.Headers)
	id := hex.EncodeToString(c.Span[:])
	for {
		span, found := spans[id]
		if !found {
			return names, id
		}
		require.Equal(t, hex.EncodeToString(c.Trace[:]), span.trace)
		names, id = append(names, span.name), span.parent
	}
}

func headerOf(r *kgo.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

// One trace goes from the source's record through all stages to the PQL; what is not sampled is in none.
func TestATraceGoesFromTheSourceToThePQL(t *testing.T) {
	t.Parallel()
	w := newWorld(t).up()
	exporter := kept{tracetest.NewInMemoryExporter()}
	traces, err := telemetry.NewTracesTo(t.Context(), exporter, slog.Default())
	require.NoError(t, err)
	c := w.resolving(allStages...)
	c.Tracing.SampleRatio = "0"
	p := start(t, c, func(a *App) { a.traces = traces }).awaitReady()
	w.send(did("ann", "acme", "one", 2*time.Hour), did("bob", "other", "one", 2*time.Hour))
	w.awaitPassed(c)
	sampled := did("ann", "", "two", time.Hour)
	sampled.Headers = []kgo.RecordHeader{{Key: "traceparent", Value: []byte(theirTrace)}, {Key: "tracestate", Value: []byte("theirs=1")}}
	w.send(sampled, did("bob", "", "two", time.Hour))
	w.awaitPassed(c)
	p.stop()

	spans := exporter.spans()
	events := map[string]*kgo.Record{}
	for _, r := range w.read("pql.events") {
		events[string(r.Key)] = r
	}
	require.Len(t, events, 2)
	assert.Empty(t, headerOf(events["other"], "traceparent"))
	names, root := above(t, spans, events["acme"])
	assert.Equal(t, []string{"publish pql.events", "activation", "publish pql.usage", "resolve", "publish pql.unresolved", "ingest"}, names)
	their, _ := tracing.Parse([]byte(theirTrace))
	assert.Equal(t, hex.EncodeToString(their.Span[:]), root)
	assert.Equal(t, "theirs=1", headerOf(events["acme"], "tracestate"))

	count := map[string]int{}
	for _, s := range spans {
		if strings.HasPrefix(s.name, "commit ") {
			assert.NotEmpty(t, s.links)
			for _, l := range s.links {
				assert.Contains(t, spans[l].name, "publish ")
				assert.Contains(t, spans[l].links, s.id, "both name each other")
			}
		} else {
			assert.Equal(t, hex.EncodeToString(their.Trace[:]), s.trace, "%s is of a record that is not sampled", s.name)
		}
		count[cmp.Or(s.attributes["pqlstream.stage"], "below")+": "+s.name]++
		switch s.name {
		case "activation":
			assert.Equal(t, "acme", s.attributes["pqlstream.account_id"])
			assert.Equal(t, "pql.usage", s.attributes["messaging.destination.name"])
		case "ingest":
			assert.Equal(t, "usage", s.attributes["messaging.destination.name"])
			assert.Equal(t, "pql.ingest", s.attributes["messaging.consumer.group.name"])
		case "publish pql.events":
			assert.Equal(t, "qualified", s.attributes["pqlstream.record"])
		}
	}
	delete(count, "activation: publish pql.lifecycle") // one for each transition
	assert.Contains(t, []int{1, 2}, count["activation: commit activation"], "what is lazy is told of with the checkpoint")
	delete(count, "activation: commit activation")
	assert.Equal(t, map[string]int{
		"ingest: ingest": 1, "resolve: resolve": 1, "activation: activation": 1, "below: decode": 3, "below: map": 1, "below: resolve user": 1, "below: fold": 1,
		"ingest: publish pql.unresolved": 1, "resolve: publish pql.usage": 1, "activation: publish pql.events": 1, "activation: publish pql.current": 1,
		"ingest: commit ingest": 1, "resolve: commit resolve": 1,
	}, count)
}

// receiver takes OTLP over HTTP.
type receiver struct {
	*httptest.Server
	mu       sync.Mutex
	requests int
	err      error
	headers  http.Header
	from     string
	spans    map[string]seenSpan
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{spans: map[string]seenSpan{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/traces", func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.requests++
		r.headers = req.Header
		if err := r.take(req.Body); err != nil {
			r.err = err
			w.WriteHeader(http.StatusBadRequest)
		}
	})
	r.Server = httptest.NewServer(mux)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) take(body io.Reader) error {
	plain, err := gzip.NewReader(body)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(plain)
	if err != nil {
		return err
	}
	var request service.ExportTraceServiceRequest
	if err := proto.Unmarshal(text, &request); err != nil {
		return err
	}
	for _, of := range request.ResourceSpans {
		for _, a := range of.Resource.Attributes {
			if a.Key == "service.name" {
				r.from = a.Value.GetStringValue()
			}
		}
		for _, scope := range of.ScopeSpans {
			for _, s := range scope.Spans {
				r.add(s)
			}
		}
	}
	return nil
}

func (r *receiver) add(s *otlp.Span) {
	span := seenSpan{trace: hex.EncodeToString(s.TraceId), id: hex.EncodeToString(s.SpanId), parent: hex.EncodeToString(s.ParentSpanId), name: s.Name}
	r.spans[span.id] = span
}

// Traces reach a collector. They begin with records that have none, by a share, with ids that follow from where the record lies.
func TestTracesReachACollector(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t).up(), newReceiver(t)
	c := w.settings()
	c.Tracing = config.Tracing{Endpoint: r.URL, Insecure: true, SampleRatio: "1", Headers: "api-key=secret"}
	p := start(t, c).awaitReady()
	w.sendAll(accounts(3), "one")
	w.sendAll(accounts(3), "two")
	w.awaitCommitted("pql.activation", "usage")
	p.stop()
	r.mu.Lock()
	defer r.mu.Unlock()
	require.NoError(t, r.err)
	assert.Equal(t, "secret", r.headers.Get("api-key"))
	assert.Equal(t, "pqlstream", r.from)
	origins := map[string]bool{}
	for _, record := range w.read("usage") {
		id := tracing.NewOrigin("usage", record.Partition).Trace(record.Offset)
		origins[hex.EncodeToString(id[:])] = true
	}
	events := w.read("pql.events")
	require.Len(t, events, 3)
	for _, e := range events {
		names, root := above(t, r.spans, e)
		assert.Equal(t, []string{"publish pql.events", "activation"}, names)
		assert.Empty(t, root)
		c, _ := tracing.Parse([]byte(headerOf(e, "traceparent")))
		assert.True(t, origins[hex.EncodeToString(c.Trace[:])])
	}
}

func TestNothingIsExportedOfWhatIsNotSampled(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t).up(), newReceiver(t)
	c := w.settings()
	c.Tracing = config.Tracing{Endpoint: r.URL, Insecure: true, SampleRatio: "0"}
	p := start(t, c).awaitReady()
	w.sendAll(accounts(3), "one")
	w.sendAll(accounts(3), "two")
	w.awaitCommitted("pql.activation", "usage")
	p.stop()
	w.requireQualified(accounts(3)...)
	r.mu.Lock()
	defer r.mu.Unlock()
	assert.Zero(t, r.requests)
}

// A collector that is down holds nothing up, and the log says it once, however often it is tried.
func TestACollectorThatIsDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t).up()
	c := w.settings()
	c.Tracing = config.Tracing{Endpoint: fmt.Sprintf("http://127.0.0.1:%d", freePort(t)), Insecure: true, SampleRatio: "1"}
	p := start(t, c).awaitReady()
	w.sendAll(accounts(500), "one") // more spans than are sent at once
	w.sendAll(accounts(500), "two")
	w.awaitCommitted("pql.activation", "usage")
	p.stop()
	w.requireQualified(accounts(500)...)
	assert.Equal(t, 1, strings.Count(p.log.String(), "traces are lost"), p.log)
}
