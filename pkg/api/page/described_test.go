//go:build slow

package page

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/schema_validation"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/test/browser"
)

// TestThePageAsksForWhatIsDescribed holds what the page asks for, and what the fake answers, against the API's description. So the other tests
// show what the page makes of the API, and not of something like it.
func TestThePageAsksForWhatIsDescribed(t *testing.T) {
	text, err := os.ReadFile("../openapi.yaml")
	require.NoError(t, err)
	document, err := libopenapi.NewDocument(text)
	require.NoError(t, err)
	model, err := document.BuildV3Model()
	require.NoError(t, err)
	valid := validator.NewValidatorFromV3Model(&model.Model)

	f := newFake(t, 600)
	plain := f.Config.Handler
	var mu sync.Mutex
	held := map[string]int{}
	f.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/v1/") {
			plain.ServeHTTP(w, r)
			return
		}
		mu.Lock()
		defer mu.Unlock() // the validator's caches
		is, problems := valid.ValidateHttpRequestSync(r)
		assert.True(t, is, "%s: %v", r.URL, problems)
		held[strings.Split(r.URL.Path, "/")[2]]++
		if strings.HasSuffix(r.URL.Path, "/events") {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		answer := httptest.NewRecorder()
		plain.ServeHTTP(answer, r)
		body := bytes.Clone(answer.Body.Bytes())
		is, problems = valid.ValidateHttpResponse(r, answer.Result())
		assert.True(t, is, "%s: %v", r.URL, problems)
		w.Header().Set("Content-Type", answer.Header().Get("Content-Type"))
		w.WriteHeader(answer.Code)
		_, _ = w.Write(body)
	})
	p := open(t, f.URL, "", browser.Desktop)
	p.Shown("PQLs")
	for _, v := range views(f) {
		p.GoTo(v.address, v.heading)
	}
	p.GoTo("#/?since=all&tier=large&segment=enterprise&playbook=manual-outreach&sort=qualified_at", "PQLs")
	p.GoTo("#/?since=all&cursor=at-50&page=2", "PQLs")
	p.GoTo("#/metrics?unit=month&zone=Europe%2FBerlin&grouping=tier&group=large&last=6", "Metrics")
	p.Expect("503")
	for _, part := range []string{"pqls", "accounts", "metrics", "checklist", "status"} {
		assert.NotZero(t, held[part], part)
	}

	fact, err := json.Marshal(factOf(&f.rows[0]))
	require.NoError(t, err)
	schema, err := model.Model.Components.Schemas.GetOrZero("PqlEvent").BuildSchema()
	require.NoError(t, err)
	is, problems := schema_validation.NewSchemaValidator().ValidateSchemaBytesWithVersion(schema, fact, 3.1)
	assert.True(t, is, "%v", problems)
}
