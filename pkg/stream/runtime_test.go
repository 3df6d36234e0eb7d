package stream

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFoldsAndPublishes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2)
	w.send(0, "a=1000", "a=1001", "b=1002", "a=1003", "b=1004", "x=1,bad", "t=1005,timer", "u=1,unowned", "r=1,reject")
	w.send(1, "c=1", "c=2", "c=3", "c=4", "c=5", "c=6")
	p := w.start(w.options())
	w.awaitCommitted()
	require.NoError(t, p.stop())
	w.requireExact()
	require.Len(t, w.read("out"), 4)
	require.Equal(t, []string{"r=refused", "x=undecodable"}, w.read("dead"))

	w.send(0, "b=1005", "a=1006", "a=1007,ignore", "a=1008", "a=1200", "t=1201")
	p = w.start(w.options())
	w.awaitCommitted()
	require.NoError(t, p.stop())
	w.requireExact()
	require.Len(t, w.read("out"), 7)
}
