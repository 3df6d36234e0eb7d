package codec

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/pqlstream/pqlstream/schemas"
)

var testTopics = []Registration{
	{Topic: "pql.events", Schema: schemas.PQLEvent},
	{Topic: "pql.current", Schema: schemas.PQLEvent},
	{Topic: "pql.dead-letters", Schema: schemas.DeadLetter},
}

func testRegistry(t *testing.T, opts ...srfake.Option) (*srfake.Registry, *sr.Client) {
	t.Helper()
	registry := srfake.New(opts...)
	t.Cleanup(registry.Close)
	return registry, testClient(t, registry.URL())
}

func testClient(t *testing.T, url string) *sr.Client {
	t.Helper()
	client, err := sr.NewClient(sr.URLs(url))
	require.NoError(t, err)
	return client
}

// refuseWrites fails on anything that would change the registry.
func refuseWrites(t *testing.T, registry *srfake.Registry) {
	registry.Intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/versions") && strings.HasPrefix(r.URL.Path, "/subjects/") {
			t.Errorf("registered with %s", r.URL.Path)
		}
		return false
	})
}

// answer makes the registry answer requests whose path begins with prefix.
func answer(registry *srfake.Registry, prefix string, status int, body string) {
	registry.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasPrefix(r.URL.Path, prefix) {
			return false
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
		return true
	})
}

func avroSchema(text string) sr.Schema { return sr.Schema{Schema: text, Type: sr.TypeAvro} }

func TestRegisterNewSubjects(t *testing.T) {
	registry, client := testRegistry(t)
	ids, err := Register(t.Context(), client, testTopics)
	require.NoError(t, err)
	require.Len(t, ids, 3)
	for _, r := range testTopics {
		registered, ok := registry.GetSchema(r.Topic+"-value", 1)
		require.True(t, ok, r.Topic)
		assert.Equal(t, registered.ID, ids[r.Topic])
		assert.JSONEq(t, r.Schema.Text, registered.Schema.Schema)
	}
	assert.Equal(t, ids["pql.events"], ids["pql.current"], "one schema")
	assert.NotEqual(t, ids["pql.events"], ids["pql.dead-letters"])
}

func TestRegisterAgainNeedsNoWrite(t *testing.T) {
	registry, client := testRegistry(t)
	first, err := Register(t.Context(), client, testTopics)
	require.NoError(t, err)
	refuseWrites(t, registry)
	second, err := Register(t.Context(), client, testTopics)
	require.NoError(t, err)
	assert.Equal(t, first, second)
}

// TestRegisterEvolves goes from a schema with fewer fields to today's, and finds an older one again when the newest is
// newer, as in a rolling upgrade.
func TestRegisterEvolves(t *testing.T) {
	registry, client := testRegistry(t)
	older := strings.Replace(schemas.DeadLetter.Compact(), `"name":"stage"`, `"name":"step"`, 1)
	_, _, err := registry.RegisterSchema("pql.dead-letters-value", avroSchema(older))
	require.NoError(t, err)
	ids, err := Register(t.Context(), client, testTopics)
	require.NoError(t, err)
	newest, ok := registry.GetSchema("pql.dead-letters-value", 2)
	require.True(t, ok)
	assert.Equal(t, newest.ID, ids["pql.dead-letters"])

	newer := strings.Replace(schemas.DeadLetter.Compact(), `"name":"stage"`, `"name":"phase"`, 1)
	_, _, err = registry.RegisterSchema("pql.dead-letters-value", avroSchema(newer))
	require.NoError(t, err)
	again, err := Register(t.Context(), client, testTopics)
	require.NoError(t, err)
	assert.Equal(t, ids, again)
}

// TestRegisterRefusesIncompatible has a registry that would take anything: the comparison here decides.
func TestRegisterRefusesIncompatible(t *testing.T) {
	registry, client := testRegistry(t, srfake.WithGlobalCompat(sr.CompatNone))
	renamed := strings.Replace(schemas.PQLEvent.Compact(), `"name":"pql_id"`, `"name":"other"`, 1)
	_, _, err := registry.RegisterSchema("pql.current-value", avroSchema(renamed))
	require.NoError(t, err)
	_, _, err = registry.RegisterSchema("pql.dead-letters-value", sr.Schema{Schema: `{"type":"object"}`, Type: sr.TypeJSON})
	require.NoError(t, err)
	refuseWrites(t, registry)

	_, err = Register(t.Context(), client, testTopics)
	require.Error(t, err)
	var incompatible *IncompatibleError
	require.ErrorAs(t, err, &incompatible)
	assert.Equal(t, "pql.current-value", incompatible.Subject)
	assert.Contains(t, incompatible.Message, "pql_id")
	assert.ErrorContains(t, err, "subject pql.dead-letters-value is not backward compatible with pqlstream's schema: the newest version is of type JSON, not Avro",
		"every subject at once")
	assert.ErrorContains(t, err, "choose another topic prefix")
	assert.NotErrorIs(t, err, ErrUnavailable)
	assert.False(t, registry.SubjectExists("pql.events-value"), "nothing is registered before all are checked")
}

// TestRegisterHeedsTheRegistry has a registry with a stricter level than ours.
func TestRegisterHeedsTheRegistry(t *testing.T) {
	registry, client := testRegistry(t)
	older := strings.Replace(schemas.PQLEvent.Compact(), `"name":"step"`, `"name":"stage"`, 1)
	_, _, err := registry.RegisterSchema("pql.events-value", avroSchema(older))
	require.NoError(t, err)
	refuseWrites(t, registry)
	answer(registry, "/compatibility/", http.StatusOK, `{"is_compatible":false,"messages":["FULL: stage lacks a default","and more"]}`)

	_, err = Register(t.Context(), client, testTopics)
	assert.EqualError(t, err, "the schema registry's subject pql.events-value is not backward compatible with pqlstream's schema: "+
		"FULL: stage lacks a default; and more; choose another topic prefix, or, when nobody needs what the topic holds, delete the topic and the subject")
	assert.NotErrorIs(t, err, ErrUnavailable)
}

// TestRegisterConflict has somebody else register in between, so that only the registration itself fails.
func TestRegisterConflict(t *testing.T) {
	registry, client := testRegistry(t)
	registry.Intercept(failing("/subjects/pql.events-value/versions", http.StatusConflict))
	_, err := Register(t.Context(), client, testTopics)
	var incompatible *IncompatibleError
	require.ErrorAs(t, err, &incompatible)
	assert.Equal(t, IncompatibleError{Subject: "pql.events-value", Message: "trouble"}, *incompatible)
}

func TestRegisterUnavailable(t *testing.T) {
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	_, err := Register(t.Context(), testClient(t, closed.URL), testTopics)
	assert.ErrorIs(t, err, ErrUnavailable)
	assert.ErrorContains(t, err, "looking up subject pql.events-value")
	assert.ErrorContains(t, err, closed.URL, "the address")

	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	_, client := testRegistry(t)
	_, err = Register(cancelled, client, testTopics)
	assert.ErrorIs(t, err, context.Canceled)
}

// TestRegisterSortsErrors has each step of a registration fail for a while and for good.
func TestRegisterSortsErrors(t *testing.T) {
	steps := map[string]string{ // the path that fails: what was being done
		"/subjects/pql.events-value":                "looking up subject pql.events-value",
		"/subjects/pql.events-value/versions/":      "fetching the newest version of subject pql.events-value",
		"/compatibility/subjects/pql.events-value/": "checking the compatibility of subject pql.events-value",
		"/subjects/pql.dead-letters-value/versions": "registering subject pql.dead-letters-value",
	}
	for path, doing := range steps {
		for status, passes := range map[int]bool{500: true, 503: true, 429: true, 408: true, 401: false, 403: false, 404: false, 422: false} {
			t.Run(doing+"/"+strconv.Itoa(status), func(t *testing.T) {
				registry, client := testRegistry(t)
				older := strings.Replace(schemas.PQLEvent.Compact(), `"name":"step"`, `"name":"stage"`, 1)
				_, _, err := registry.RegisterSchema("pql.events-value", avroSchema(older))
				require.NoError(t, err)
				registry.Intercept(failing(path, status))
				_, err = Register(t.Context(), client, testTopics)
				require.ErrorContains(t, err, doing)
				assert.ErrorContains(t, err, "trouble")
				if passes {
					assert.ErrorIs(t, err, ErrUnavailable)
				} else {
					assert.NotErrorIs(t, err, ErrUnavailable)
				}
				if status == 401 || status == 403 {
					assert.ErrorContains(t, err, "check the registry's credentials")
				}
			})
		}
	}
}

// failing answers the requests of one step of a registration, told by path, with an error. A 404's code is not the
// registry's own: a proxy answered.
func failing(path string, status int) srfake.Interceptor {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != path && !(strings.HasSuffix(path, "/") && strings.HasPrefix(r.URL.Path, path)) ||
			strings.HasSuffix(path, "/versions") && r.Method != http.MethodPost {
			return false
		}
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{"error_code": status, "message": "trouble"})
		return true
	}
}

func TestLocalIDs(t *testing.T) {
	assert.Equal(t, map[string]int{
		"pql.events": schemas.PQLEvent.LocalID, "pql.current": schemas.PQLEvent.LocalID, "pql.dead-letters": schemas.DeadLetter.LocalID,
	}, LocalIDs(testTopics))
}

// TestLocalSchemasAreTheExported checks that what is exported is what reads back records with local ids.
func TestLocalSchemasAreTheExported(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, ExportSchemas(dir))
	for _, s := range schemas.All() {
		exported, err := SchemaDir(dir).Schema(t.Context(), s.LocalID)
		require.NoError(t, err)
		local, err := LocalSchemas().Schema(t.Context(), s.LocalID)
		require.NoError(t, err)
		assert.Equal(t, local, exported)
	}
}
