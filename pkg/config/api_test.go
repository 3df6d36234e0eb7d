package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const goodToken = "0123456789abcdef"

// Beyond the machine the API needs a token, wherever it comes from; nobody is told it.
func TestTheAPINeedsATokenBeyondTheMachine(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(file, []byte(goodToken+"\n"), 0o600))
	short := filepath.Join(t.TempDir(), "short")
	require.NoError(t, os.WriteFile(short, []byte("secret\n"), 0o600))
	for _, c := range []struct{ name, api, token, problem string }{
		{"as it is", `{}`, "", ""},
		{"none", `{address: ""}`, "", ""},
		{"by name", `{address: "localhost:1"}`, "", ""},
		{"by the newer protocol", `{address: "[::1]:1"}`, "", ""},
		{"everywhere", `{address: ":7480"}`, "", `api.address: ":7480" can be reached from other machines, and there is no token: name a file`},
		{"everywhere, named", `{address: "0.0.0.0:7480"}`, "", "api.token_file"},
		{"a name", `{address: "pqlstream.example.org:7480"}`, "", "PQLSTREAM_API_TOKEN"},
		{"with a token", `{address: ":7480", token: ` + goodToken + `}`, goodToken, ""},
		{"with a file", `{address: ":7480", token_file: ` + file + `}`, goodToken, ""},
		{"both", `{token: ` + goodToken + `, token_file: ` + file + `}`, "", "api.token_file: not together with token"},
		{"a short one", `{token: secret}`, "", "api.token: the token has 6 bytes, at least 16 are needed"},
		{"a short one in a file", `{token_file: ` + short + `}`, "", "api.token_file: the token has 6 bytes"},
		{"one with a space", `{token: "0123456789 abcdef"}`, "", "api.token: the token has spaces"},
		{"no file", `{token_file: nowhere}`, "", "api.token_file: open nowhere"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := load(t, minimal+"api: "+c.api+"\n", nil)
			if c.problem != "" {
				require.ErrorContains(t, err, c.problem)
				assert.NotContains(t, err.Error(), goodToken)
				assert.NotContains(t, err.Error(), `secret"`)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, c.token, got.API.Token.Reveal())
		})
	}
}

func TestTheAPIsTokenComesFromTheEnvironment(t *testing.T) {
	t.Setenv("PQLSTREAM_API_TOKEN", goodToken)
	c, err := load(t, minimal, map[string]string{"api.address": ":7480"})
	require.NoError(t, err)
	assert.Equal(t, goodToken, c.API.Token.Reveal())
}

// A process may run no stage if it serves the API.
func TestAProcessMayServeTheAPIOnly(t *testing.T) {
	c, err := load(t, "stages: []\n"+minimal, nil)
	require.NoError(t, err)
	assert.Empty(t, c.Stages)
	_, err = load(t, "stages: []\n"+minimal+"api: {address: ''}\n", nil)
	require.ErrorContains(t, err, "stages: none given, and no api.address")
	assert.NotContains(t, strings.ToLower(err.Error()), "kafka")
}
