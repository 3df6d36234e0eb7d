package codec

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

func registryAt(t *testing.T, url string) *Registry {
	t.Helper()
	client, err := sr.NewClient(sr.URLs(url))
	require.NoError(t, err)
	return NewRegistry(client)
}

func sourceDecoder(t *testing.T, f Format, s SchemaSource) *Decoder {
	t.Helper()
	in, err := NewInput(f, usage.DefaultMapping(), s)
	require.NoError(t, err)
	return in.Decoder()
}

// record is a record of the required fields, written with a schema.
func record(id byte, rest ...any) []byte {
	return bytesOf([]byte{0, 0, 0, 0, id}, required, bytesOf(rest...))
}

func TestRegistry(t *testing.T) {
	fake := srfake.New()
	defer fake.Close()
	fake.SeedSchema("usage-value", 1, 5, sr.Schema{Schema: schemaWith()})
	d := sourceDecoder(t, Avro, registryAt(t, fake.URL()))
	var e usage.Event
	require.NoError(t, d.Decode(t.Context(), record(5), &e))
	require.Equal(t, "acme", e.AccountID)

	// Nobody has it, and then somebody registers it.
	err := d.Decode(t.Context(), record(6, "u1"), &e)
	requireReject(t, err, usage.CodeUnknownSchema, "")
	require.ErrorIs(t, err, ErrUnknownSchema)
	require.ErrorContains(t, err, "schema 6")
	fake.SeedSchema("usage-value", 2, 6, sr.Schema{Schema: schemaWith(`{"name":"user_id","type":"string"}`)})
	require.NoError(t, d.Decode(t.Context(), record(6, "u1"), &e))
	require.Equal(t, "u1", e.UserID)
	require.NoError(t, d.Decode(t.Context(), record(5), &e))
	require.Empty(t, e.UserID)
}

// Registries number from 1 up to the largest int; asked for more, some answer as if the address were wrong.
func TestRegistryIsNotAskedForImpossibleIDs(t *testing.T) {
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { asked.Add(1); http.NotFound(w, r) }))
	defer server.Close()
	d := sourceDecoder(t, Avro, registryAt(t, server.URL))
	err := d.Decode(t.Context(), bytesOf([]byte{0, 0xff, 0xff, 0xff, 0xff}, required), &usage.Event{})
	requireReject(t, err, usage.CodeUnknownSchema, "")
	require.Zero(t, asked.Load())
}

func TestRegistryReferences(t *testing.T) {
	fake := srfake.New()
	defer fake.Close()
	who := `{"type":"record","name":"Who","namespace":"ref","fields":[{"name":"id","type":"string"},{"name":"kind","type":"Kind"}]}`
	fake.SeedSchema("kind", 1, 1, sr.Schema{Schema: `{"type":"enum","name":"Kind","namespace":"ref","symbols":["user","bot"]}`})
	fake.SeedSchema("who", 1, 2, sr.Schema{Schema: who, References: []sr.SchemaReference{{Name: "ref.Kind", Subject: "kind", Version: 1}}})
	fake.SeedSchema("usage-value", 1, 3, sr.Schema{
		Schema:     schemaWith(`{"name":"kind","type":"ref.Kind"}`, `{"name":"who","type":"ref.Who"}`, `{"name":"by","type":["null","ref.Who"]}`),
		References: []sr.SchemaReference{{Name: "ref.Kind", Subject: "kind", Version: 1}, {Name: "ref.Who", Subject: "who", Version: 1}},
	})
	m, err := usage.ParseMapping(map[string]string{"user_id": "who.id", "source": "by.kind"})
	require.NoError(t, err)
	in, err := NewInput(Avro, m, registryAt(t, fake.URL()))
	require.NoError(t, err)
	var e usage.Event
	require.NoError(t, in.Decoder().Decode(t.Context(), record(3, 0, "u1", 0, 1, "u2", 1), &e))
	require.Equal(t, "u1", e.UserID)
	require.Equal(t, "bot", e.Source)
}

func TestRegistrySchemaOfAnotherType(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"schemaType":"JSON","schema":"{}"}`))
	}))
	defer server.Close()
	err := sourceDecoder(t, Avro, registryAt(t, server.URL)).Decode(t.Context(), record(1), &usage.Event{})
	requireReject(t, err, usage.CodeBadSchema, "")
}

// A registry in trouble is waited for: none of its answers makes a record a dead letter, and once it is well the same
// record is read.
func TestRegistryInTrouble(t *testing.T) {
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	for name, trouble := range map[string]http.HandlerFunc{
		"internal error": answer(500, `{"error_code":50001,"message":"store"}`),
		"overloaded":     answer(503, "later"),
		"no right":       answer(401, `{"error_code":401,"message":"who are you"}`),
		"another's 404":  answer(404, "<html>no such page</html>"),
		"a framework's":  answer(404, `{"error_code":404,"message":"HTTP 404 Not Found"}`),
		"too many":       answer(429, ""),
		"not JSON":       answer(200, "<html>sign in</html>"),
		"connection cut": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"half an answer": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "99")
			_, _ = w.Write([]byte(`{"sch`))
		},
		"an empty object": answer(200, `{}`),
	} {
		t.Run(name, func(t *testing.T) {
			var well atomic.Bool
			healthy := answer(200, `{"schema":`+jsonText(schemaWith())+`}`)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if well.Load() {
					healthy(w, r)
				} else {
					trouble(w, r)
				}
			}))
			defer server.Close()
			d := sourceDecoder(t, Avro, registryAt(t, server.URL))
			err := d.Decode(t.Context(), record(1), &usage.Event{})
			require.ErrorIs(t, err, ErrUnavailable)
			var reject *usage.Error
			require.NotErrorAs(t, err, &reject)

			well.Store(true)
			require.NoError(t, d.Decode(t.Context(), record(1), &usage.Event{}))
		})
	}
}

func jsonText(s string) string { return `"` + strings.ReplaceAll(s, `"`, `\"`) + `"` }

func TestRegistryDownOrSlow(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	url := server.URL
	server.Close()
	err := sourceDecoder(t, Avro, registryAt(t, url)).Decode(t.Context(), record(1), &usage.Event{})
	require.ErrorIs(t, err, ErrUnavailable)
	require.ErrorContains(t, err, strings.TrimPrefix(url, "http://"), "says which address")

	ctx, cancel := context.WithCancel(t.Context())
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}))
	defer slow.Close()
	err = sourceDecoder(t, Avro, registryAt(t, slow.URL)).Decode(ctx, record(1), &usage.Event{})
	require.ErrorIs(t, err, ErrUnavailable)
	require.ErrorIs(t, err, context.Canceled)
}

func TestSchemaDir(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	write("5.avsc", schemaWith())
	d := sourceDecoder(t, Avro, SchemaDir(dir))
	var e usage.Event
	require.NoError(t, d.Decode(t.Context(), record(5), &e))
	err := d.Decode(t.Context(), record(6), &e)
	requireReject(t, err, usage.CodeUnknownSchema, "")
	require.ErrorContains(t, err, "6.avsc")
	write("6.avsc", "{")
	requireReject(t, d.Decode(t.Context(), record(6), &e), usage.CodeBadSchema, "")

	body := sourceDecoder(t, AvroBody, SchemaDir(dir))
	requireReject(t, body.Decode(t.Context(), required, &e), usage.CodeUnknownSchema, "")
	write("default.avsc", schemaWith())
	require.NoError(t, body.Decode(t.Context(), required, &e))
	require.Equal(t, requiredEvent().AccountID, e.AccountID)

	gone := sourceDecoder(t, Avro, SchemaDir(filepath.Join(dir, "gone")))
	require.ErrorIs(t, gone.Decode(t.Context(), record(5), &e), ErrUnavailable)
}

// countingSource counts what it is asked for.
type countingSource struct {
	Schemas
	asked int
	err   error
}

func (s *countingSource) Schema(ctx context.Context, id int) (string, error) {
	s.asked++
	if s.err != nil {
		return "", s.err
	}
	return s.Schemas.Schema(ctx, id)
}

// A schema is fetched once for all decoders of an input, good or bad; that there is none is asked again.
func TestSchemasAreFetchedOnce(t *testing.T) {
	source := &countingSource{Schemas: Schemas{1: schemaWith(), 2: `"string"`}}
	in, err := NewInput(Avro, usage.DefaultMapping(), source)
	require.NoError(t, err)
	for range 3 {
		d := in.Decoder()
		for range 3 {
			require.NoError(t, d.Decode(t.Context(), record(1), &usage.Event{}))
			requireReject(t, d.Decode(t.Context(), record(2), &usage.Event{}), usage.CodeUnmappableSchema, "account_id")
		}
	}
	require.Equal(t, 2, source.asked)
	for range 3 {
		requireReject(t, in.Decoder().Decode(t.Context(), record(3), &usage.Event{}), usage.CodeUnknownSchema, "")
	}
	require.Equal(t, 5, source.asked)

	source.err = errors.New("out of order")
	err = in.Decoder().Decode(t.Context(), record(4), &usage.Event{})
	require.ErrorIs(t, err, ErrUnavailable)
	require.ErrorIs(t, err, source.err)
	require.ErrorContains(t, err, "fetching schema 4")
}
