package e2e

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/config"
)

// TestGracefulStopUnderLoad stops processes (SIGTERM) while events come in: each ends with 0 within its own limit, which
// is its default of 10 s, has left the group by then, and loses nothing.
func TestGracefulStopUnderLoad(t *testing.T) {
	s := newSetup(t, config.ProtocolConsumer, 3)
	a, b := s.run(), s.run()
	s.share(a, b)
	traffic := s.steady(3)
	for _, p := range []*process{a, b, a} {
		p.stop()
		require.Equal(t, 1, s.members(config.Activation), "members left")
		require.NoError(t, p.Restart())
		s.share(a, b)
	}
	traffic.stop()
	s.finish(a, b)
}

// TestSecondSignalEndsAtOnce stops a process that can't finish, since the broker does not answer: the second signal
// ends it there and then, and nothing is lost either.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	s := newSetup(t, config.ProtocolConsumer, 4)
	p := s.run()
	s.share(p)
	traffic := s.steady(4)
	s.eventually("some progress", func() bool { return s.committed() > 1000 })
	require.NoError(t, s.kafka.Pause())
	s.eventually("the process ended", func() bool {
		select {
		case <-p.Done():
			return true
		default:
			require.NoError(t, syscall.Kill(p.PID(), syscall.SIGTERM))
			return false
		}
	})
	require.Equal(t, -1, p.ExitCode(), "a signal has to end it, not its own doing")
	require.NoError(t, s.kafka.Continue())
	traffic.stop()
	require.NoError(t, p.Restart())
	s.finish(p)
}
