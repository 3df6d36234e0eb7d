package kafka

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A broker that is away is told of once in a while, not at every try.
func TestWarningsAreNotRepeatedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		l := &logger{log: slog.New(slog.NewTextHandler(&out, nil))}
		fail := func(addr, err string) { l.Log(kgo.LogLevelWarn, "unable to open connection", "addr", addr, "err", err) }
		lines := func() int { return strings.Count(out.String(), "\n") }

		fail("a:9092", "refused")
		fail("a:9092", "refused")
		fail("a:9092", "timed out, from port 4711")
		require.Equal(t, 1, lines())
		require.Contains(t, out.String(), "level=WARN msg=\"unable to open connection\" component=kafka-client addr=a:9092 err=refused")
		fail("b:9092", "refused")
		l.Log(kgo.LogLevelError, "unable to commit")
		require.Equal(t, 3, lines(), "another broker, another warning")
		require.Contains(t, out.String(), "level=ERROR")

		time.Sleep(repeatAfter)
		fail("a:9092", "refused")
		require.Equal(t, 4, lines())
		require.Contains(t, out.String(), "repeated=2")
	})
}
