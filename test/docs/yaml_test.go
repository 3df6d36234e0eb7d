package docs

import (
	"encoding/pem"
	"maps"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// settings are what a part of the settings is a part of.
const settings = `
checklist: checklist.yaml
kafka: {brokers: ["localhost:9092"]}
redis: {addresses: ["localhost:6379"]}
registry: {directory: avro}
input: {sources: [{topic: usage}]}
`

// checklist is what a part of a checklist is a part of.
const checklist = `
version: 1
name: docs
trial: {days: 14, starts: {event: trial_started}}
properties:
  - {name: company_size, type: long, from: [{event: account_created}]}
  - {name: plan, type: string, from: [{event: account_created}]}
  - {name: account_manager, type: string, from: [{event: account_created}]}
playbooks: [{name: account-executive, action: call}]
tiers: [{name: all, threshold: 0.5}]
`

// steps are those that others are made of.
var steps = []string{"first_project", "invited_team", "saw_premium", "asked_support"}

// check has pqlstream check settings, a checklist, or a part of either.
func (r *reader) check(b *block) {
	r.t.Helper()
	var given any
	require.NoError(r.t, yaml.Unmarshal([]byte(b.text), &given), b.at())
	part, isMapping := given.(map[string]any)
	list, isList := given.([]any)
	switch {
	case given == nil: // a comment
	case isList:
		r.checkChecklist(b, map[string]any{"steps": list})
	case isMapping && isSettings(part):
		r.checkSettings(b)
	default:
		require.True(r.t, isMapping, b.at())
		r.checkChecklist(b, part)
	}
}

func isSettings(part map[string]any) bool {
	var known map[string]any
	if yaml.Unmarshal([]byte(settings), &known) != nil {
		return false
	}
	for _, key := range []string{"stages", "prefix", "topics", "groups", "output", "metrics", "runtime", "http", "api", "log", "tracing"} {
		known[key] = nil
	}
	for key := range part {
		if _, is := known[key]; is {
			return true
		}
	}
	return false
}

// secret is what pages call a file of secrets.
var secret = regexp.MustCompile(`/run/secrets/([\w-]+)`)

// checkSettings checks settings, with what they need beside them.
func (r *reader) checkSettings(b *block) {
	r.t.Helper()
	for _, name := range secret.FindAllStringSubmatch(b.text, -1) {
		r.write("secrets/"+name[1], "api-key=0123456789abcdef\n")
	}
	r.write("etc/ca.pem", authority())
	text := strings.NewReplacer("/run/secrets/", r.dir+"/secrets/", "/etc/pqlstream/", r.dir+"/etc/").Replace(b.text)
	whole := merged(r.t, settings, text)
	code, out := r.run("config", "check", "--config", r.write("settings.yaml", whole))
	assert.Zero(r.t, code, "%s: %s", b.at(), out)
}

// authority is a certificate that signs others.
func authority() string {
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
}

func (r *reader) checkChecklist(b *block, part map[string]any) {
	r.t.Helper()
	whole := b.text
	if part["version"] == nil {
		base := checklist
		if part["preset"] != nil {
			base = strings.ReplaceAll(base, "tiers: [{name: all, threshold: 0.5}]\n", "")
		}
		own, _ := part["steps"].([]any)
		part["steps"] = append(others(own), own...)
		text, err := yaml.Marshal(part)
		require.NoError(r.t, err)
		whole = merged(r.t, base, string(text))
	}
	code, out := r.run("checklist", "check", r.write("part.yaml", whole))
	assert.Zero(r.t, code, "%s: %s", b.at(), out)
}

// others are the steps that a part takes for granted.
func others(own []any) (list []any) {
	for _, id := range steps {
		if !slices.ContainsFunc(own, func(s any) bool { step, _ := s.(map[string]any); return step["id"] == id }) {
			list = append(list, map[string]any{"id": id, "kind": "event", "event": id})
		}
	}
	return list
}

// merged lays a mapping over another one, key by key.
func merged(t *testing.T, base, over string) string {
	t.Helper()
	var whole, part map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(base), &whole))
	require.NoError(t, yaml.Unmarshal([]byte(over), &part))
	maps.Copy(whole, part)
	text, err := yaml.Marshal(whole)
	require.NoError(t, err)
	return string(text)
}
