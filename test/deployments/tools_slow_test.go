//go:build slow

package deployments

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// tool is the path of what make deployment-tools has put into build/.
func tool(t *testing.T, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(root, "build", pattern))
	require.NoError(t, err)
	if len(found) == 0 {
		t.Skip("no build/" + pattern + ": run `make deployment-tools`")
	}
	path, err := filepath.Abs(found[len(found)-1])
	require.NoError(t, err)
	return path
}

// requireValid requires that a YAML file is what a JSON schema says.
func requireValid(t *testing.T, schema, file string) {
	t.Helper()
	compiled, err := jsonschema.NewCompiler().Compile(tool(t, schema))
	require.NoError(t, err)
	require.NoError(t, compiled.Validate(decoded(t, []byte(read(t, file)))), file)
}

// decoded is YAML as JSON has it.
func decoded(t *testing.T, text []byte) any {
	t.Helper()
	var content any
	require.NoError(t, yaml.Unmarshal(text, &content))
	asJSON, err := json.Marshal(content)
	require.NoError(t, err)
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
	require.NoError(t, err)
	return value
}

func TestComposeIsValid(t *testing.T) { requireValid(t, "schemas/compose.json", "docker-compose.yml") }

func TestTheReleaseIsValid(t *testing.T) {
	out := run(t, tool(t, "bin/goreleaser-*"), "check", filepath.Join(root, ".goreleaser.yaml"))
	require.Contains(t, out, "1 configuration file(s) validated")
}
