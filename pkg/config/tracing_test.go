package config

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTracing(t *testing.T) {
	c, err := load(t, minimal+"tracing: {endpoint: 'https://collector:4318', sample_ratio: 0.25, headers: 'api-key=a=b, x-tenant = eu'}\n", nil)
	require.NoError(t, err)
	assert.Equal(t, "https://collector:4318/v1/traces", c.Tracing.URL())
	assert.Equal(t, map[string]string{"api-key": "a=b", "x-tenant": "eu"}, c.Tracing.HeaderValues())
	share, ok := c.Tracing.SampleRatio.Value()
	assert.True(t, ok)
	assert.InDelta(t, 0.25, share, 0)
	assert.NotContains(t, c.Tracing.Headers.String(), "a=b")

	file := filepath.Join(t.TempDir(), "headers")
	require.NoError(t, os.WriteFile(file, []byte("api-key=c\nx-tenant=eu\n"), 0o600))
	c, err = load(t, minimal+"tracing: {endpoint: 'http://localhost/otlp/traces', insecure: true, headers_file: "+file+"}\n", nil)
	require.NoError(t, err)
	assert.Equal(t, "http://localhost/otlp/traces", c.Tracing.URL())
	assert.Equal(t, map[string]string{"api-key": "c", "x-tenant": "eu"}, c.Tracing.HeaderValues())
}
