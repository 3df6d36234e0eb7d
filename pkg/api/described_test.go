package api

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	validation "github.com/pb33f/libopenapi-validator/errors"
	"github.com/pb33f/libopenapi-validator/schema_validation"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// description is openapi.yaml, read once.
var description = sync.OnceValues(func() (*libopenapi.DocumentModel[v3.Document], error) {
	document, err := libopenapi.NewDocument(Description)
	if err != nil {
		return nil, err
	}
	return document.BuildV3Model()
})

// described is a transport that holds every request and every response against the description: what is answered well must have been
// asked for as described, and whatever comes back must be as described.
type described struct {
	t     *testing.T
	valid validator.Validator
}

// newClient returns a client of a handler. It validates all that passes.
func newClient(t *testing.T, h http.Handler) (*http.Client, string) {
	model, err := description()
	require.NoError(t, err)
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return &http.Client{
		Transport:     &described{t, validator.NewValidatorFromV3Model(&model.Model)},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, server.URL
}

func (d *described) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if response.Header.Get("Content-Type") != "text/event-stream" {
		body, err := io.ReadAll(response.Body)
		require.NoError(d.t, err)
		require.NoError(d.t, response.Body.Close())
		response.Body = io.NopCloser(bytes.NewReader(body))
	}
	d.hold(r, response)
	return response, nil
}

func (d *described) hold(r *http.Request, response *http.Response) {
	ok := response.StatusCode < 400
	asked := r.Method + " " + r.URL.String()
	if !d.describes(r) {
		d.holdProblem(asked, response)
		return
	}
	if valid, problems := d.valid.ValidateHttpRequestSync(r); ok {
		assert.True(d.t, valid, "%s was answered, but is not as described: %s", asked, texts(problems))
	}
	if response.Header.Get("Content-Type") == "text/event-stream" {
		return // events are held against their schema by those who read them
	}
	body, err := io.ReadAll(response.Body)
	require.NoError(d.t, err)
	response.Body = io.NopCloser(bytes.NewReader(body))
	valid, problems := d.valid.ValidateHttpResponse(r, response)
	assert.True(d.t, valid, "the answer to %s is not as described: %s\n%d %s", asked, texts(problems), response.StatusCode, body)
	response.Body = io.NopCloser(bytes.NewReader(body))
}

// describes says whether a request is to one of the description's paths, by a method that it has.
func (d *described) describes(r *http.Request) bool {
	return r.Method == http.MethodGet && !slices.ContainsFunc([]string{"/v1/nothing", "/assets"}, func(p string) bool {
		return strings.HasPrefix(r.URL.Path, p)
	}) && r.URL.Path != "/"
}

// holdProblem is for what the description does not have: it is answered well without a body, or with a problem.
func (d *described) holdProblem(asked string, response *http.Response) {
	if response.StatusCode < 400 || response.Request.Method == http.MethodHead {
		return
	}
	assert.Equal(d.t, "application/problem+json", response.Header.Get("Content-Type"), asked)
	body, err := io.ReadAll(response.Body)
	require.NoError(d.t, err)
	response.Body = io.NopCloser(bytes.NewReader(body))
	holdSchema(d.t, "Problem", body)
}

// holdSchema holds JSON against a schema of the description.
func holdSchema(t *testing.T, name string, text []byte) {
	model, err := description()
	require.NoError(t, err)
	schema, err := model.Model.Components.Schemas.GetOrZero(name).BuildSchema()
	require.NoError(t, err)
	valid, problems := schema_validation.NewSchemaValidator().ValidateSchemaBytesWithVersion(schema, text, 3.1)
	assert.True(t, valid, "this is no %s: %s\n%s", name, texts(problems), text)
}

func texts(problems []*validation.ValidationError) string {
	var all []string
	for _, p := range problems {
		all = append(all, p.Message+": "+p.Reason)
		for _, e := range p.SchemaValidationErrors {
			all = append(all, e.FieldPath+": "+e.Reason)
		}
	}
	return strings.Join(all, "\n")
}

// The description is a good one by OpenAPI's own schema, and says of all what it is.
func TestTheDescriptionIsValid(t *testing.T) {
	document, err := libopenapi.NewDocument(Description)
	require.NoError(t, err)
	v, errs := validator.NewValidator(document)
	require.Empty(t, errs)
	valid, problems := v.ValidateDocument()
	require.True(t, valid, texts(problems))
	model, err := description()
	require.NoError(t, err)
	for name, proxy := range model.Model.Components.Schemas.FromOldest() {
		schema, err := proxy.BuildSchema()
		require.NoError(t, err, name)
		assert.NotEmpty(t, schema.Description, name)
		if schema.Properties == nil {
			continue
		}
		required := slices.Clone(schema.Required)
		for property, proxy := range schema.Properties.FromOldest() {
			of, err := proxy.BuildSchema()
			require.NoError(t, err, "%s.%s", name, property)
			assert.NotEmpty(t, of.Description, "%s.%s", name, property)
			required = slices.DeleteFunc(required, func(r string) bool { return r == property })
		}
		assert.Empty(t, required, "%s requires what it does not have", name)
	}
}

// What is routed is described, and the other way round.
func TestEveryRouteIsDescribed(t *testing.T) {
	model, err := description()
	require.NoError(t, err)
	var routed, paths []string
	for _, r := range (&server{}).routes() {
		routed = append(routed, r.path)
	}
	for path, item := range model.Model.Paths.PathItems.FromOldest() {
		paths = append(paths, path)
		operations := 0
		for method := range item.GetOperations().FromOldest() {
			operations++
			assert.Equal(t, "get", method, path)
		}
		assert.Equal(t, 1, operations, path)
	}
	assert.ElementsMatch(t, paths, routed)
}
