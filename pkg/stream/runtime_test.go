package stream

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFoldsAndPublishes(t *testing.T) {
	w := newWorld(t, 2)
	w.send(0, "a=1000", "a=1001", "b=1002", "a=1003", "b=1004", "x=1,bad")
	w.send(1, "c=1", "c=2", "c=3", "c=4", "c=5", "c=6")
	p := w.start(w.options())
	w.awaitCommitted()
	require.NoError(t, p.stop())
	require.Equal(t, []string{"a=n=3 incarnation=0", "c=n=3 incarnation=0", "c=n=6 incarnation=0"}, w.read("out"))
	require.Equal(t, []string{"x=undecodable"}, w.read("dead"))

	w.send(0, "b=1005", "a=1006", "a=1007", "a=1008")
	p = w.start(w.options())
	w.awaitCommitted()
	require.NoError(t, p.stop())
	require.Equal(t, []string{"a=n=3 incarnation=0", "a=n=6 incarnation=0", "b=n=3 incarnation=2", "c=n=3 incarnation=0", "c=n=6 incarnation=0"}, w.read("out"))
}
