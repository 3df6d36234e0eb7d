package docs

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/schemas"
)

// around is what the part of a Go program on docs/metrics.md is a part of.
const around = `package main

import (
	"github.com/DataDog/sketches-go/ddsketch"
	"github.com/DataDog/sketches-go/ddsketch/pb/sketchpb"
	"google.golang.org/protobuf/proto"
)

func p90(sum *ddsketch.DDSketch, row struct{ Sketch []byte }) (float64, error) {
`

// compile compiles a part of a Go program.
func compile(t *testing.T, b *block) {
	t.Helper()
	r := &reader{t: t, dir: t.TempDir()}
	c := exec.CommandContext(t.Context(), "go", "vet", r.write("part.go", around+b.text+"\treturn p90, err\n}\n\nfunc main() { _ = p90 }\n"))
	c.Dir = filepath.Clean(root)
	out, err := c.CombinedOutput()
	assert.NoError(t, err, "%s: %s", b.at(), out)
}

var key = regexp.MustCompile(`"([a-z_]+)":`)

// assertFact looks whether a fact has the fields that a page shows, whose values it leaves out in part.
func assertFact(t *testing.T, b *block) {
	t.Helper()
	keys := key.FindAllStringSubmatch(b.text, -1)
	require.NotEmpty(t, keys, b.at())
	for _, k := range keys {
		assert.Contains(t, schemas.PQLEvent.Text, `"name": "`+k[1]+`"`, b.at())
	}
}
