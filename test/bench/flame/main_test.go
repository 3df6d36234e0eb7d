package main

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const traces = `File: profiled
Type: cpu
Duration: 1s, Total samples = 130ms
-----------+-------------------------------------------------------
     100ms   pkg/a.leaf (inline)
             pkg/a.caller
             main.main
-----------+-------------------------------------------------------
      20ms   pkg/a.caller
             main.main
-----------+-------------------------------------------------------
  stage:  activation
      10ms   runtime.gc[go.shape.string]
`

func TestSamplesAddUpAlongTheirCallers(t *testing.T) {
	root, err := read(strings.NewReader(traces))
	require.NoError(t, err)
	require.Equal(t, 130*time.Millisecond, root.spent)
	caller := root.child("main.main").child("pkg/a.caller")
	require.Equal(t, 120*time.Millisecond, caller.spent)
	require.Equal(t, 100*time.Millisecond, caller.child("pkg/a.leaf").spent)
	require.Equal(t, 10*time.Millisecond, root.child("runtime.gc[go.shape.string]").spent)
}

func TestTheDrawingIsXMLThatNamesEachFunction(t *testing.T) {
	root, err := read(strings.NewReader(strings.ReplaceAll(traces, "pkg/a.leaf", "pkg/a.(*leaf[...])<x>")))
	require.NoError(t, err)
	var s strings.Builder
	require.NoError(t, draw(&s, root))
	require.Contains(t, s.String(), "a.(*leaf[...])&lt;x&gt;, 76.9 %")
	for d := xml.NewDecoder(strings.NewReader(s.String())); ; {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
	}
}

func TestWhatIsNoProfileIsRefused(t *testing.T) {
	_, err := read(strings.NewReader("nothing"))
	require.ErrorContains(t, err, "pprof -traces")
	_, err = read(strings.NewReader("-----\nno time\n"))
	require.ErrorContains(t, err, "no time")
}
