package docs

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func isFirstDeployment(b *block) bool {
	return strings.Contains(b.text, "pqlstream schemas export avro")
}

// A first deployment, word by word, but for the addresses: Kafka and Redis are those in this process.
func TestTheFirstDeployment(t *testing.T) {
	r := newReader(t, newPlace(t))
	require.NoError(t, os.Remove(filepath.Join(r.dir, "avro")))
	r.write("pqlstream.yaml", firstSettings(t))
	commands, ok := commandsIn(blockWith(t, "README.md", "pqlstream schemas export avro"))
	require.True(t, ok)
	for _, c := range commands {
		switch c.program() {
		case "pqlstream run":
			r.start(c.line)
		case "pqlstream explain": // it is read about a second later
			r.until(c.line, 0)
		case "pqlstream metrics":
			code, out := r.sh(c.line)
			assert.Equal(t, 4, code, "they are not enabled: %s", out)
			assert.Contains(t, out, "metrics.enabled")
		default:
			r.do(&c)
		}
	}
	for _, name := range []string{"schemas export", "config check", "simulate", "topics create", "run", "explain", "pqls list"} {
		has := func(c command) bool { return strings.HasPrefix(c.program(), "pqlstream "+name) }
		assert.True(t, slices.ContainsFunc(commands, has), name)
	}
}
