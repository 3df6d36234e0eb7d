package redisstate

import (
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/state"
)

// Rule 6: noeviction is required at start and checked again: somebody may switch eviction on while we run.
func TestAttack13EvictionIsRefused(t *testing.T) {
	c := startRedis(t)
	s, err := New(c, Options{})
	require.NoError(t, err)
	require.NoError(t, s.Check(t.Context()))
	for _, policy := range []string{"allkeys-lru", "volatile-ttl"} {
		require.NoError(t, c.ConfigSet(t.Context(), "maxmemory-policy", policy).Err())
		refused := new(state.Refused)
		require.ErrorAs(t, s.Check(t.Context()), &refused)
		require.Contains(t, refused.Reason, c.Options().Addr)
		require.Contains(t, refused.Reason, policy)
		require.Contains(t, refused.Remedy, "noeviction")
	}
	require.NoError(t, c.ConfigSet(t.Context(), "maxmemory-policy", "noeviction").Err())
	require.NoError(t, s.Check(t.Context()))
}

// One master of a cluster that evicts is enough.
func TestAttack13EvictionOnOneNodeIsRefused(t *testing.T) {
	c, nodes := startCluster(t, 2)
	s, err := New(c, Options{})
	require.NoError(t, err)
	require.NoError(t, s.Check(t.Context()))
	require.NoError(t, nodes[1].ConfigSet(t.Context(), "maxmemory-policy", "allkeys-lfu").Err())
	refused := new(state.Refused)
	require.ErrorAs(t, s.Check(t.Context()), &refused)
	require.Contains(t, refused.Reason, nodes[1].Options().Addr)
}

func TestCheckOfServersThatDoNotTell(t *testing.T) {
	policy := "noeviction"
	version := "7.2.4"
	var info, config func(*server.Peer)
	forbid := func(p *server.Peer) {
		p.WriteError("NOPERM User default has no permissions to run this command")
	}
	unknown := func(p *server.Peer) { p.WriteError("ERR unknown command 'CONFIG', with args beginning with: 'GET'") }
	fake := miniredis.RunT(t)
	require.NoError(t, fake.Server().Register("CONFIG", func(p *server.Peer, _ string, _ []string) { config(p) }))
	fake.Server().SetPreHook(func(p *server.Peer, cmd string, _ ...string) bool {
		if cmd == "INFO" && info != nil {
			info(p)
			return true
		}
		return false
	})
	tellPolicy := func(p *server.Peer) {
		p.WriteMapLen(1)
		p.WriteBulk("maxmemory-policy")
		p.WriteBulk(policy)
	}
	tellVersion := func(p *server.Peer) {
		p.WriteBulk("# Server\r\nredis_version:" + version + "\r\nconnected_clients:1\r\n")
	}
	tellAll := func(p *server.Peer) {
		p.WriteBulk("# Server\r\nredis_version:" + version + "\r\nmaxmemory_policy:" + policy + "\r\n")
	}
	c := redis.NewClient(options(fake.Addr()))
	t.Cleanup(func() { _ = c.Close() })
	s, err := New(c, Options{})
	require.NoError(t, err)

	tests := []struct {
		name            string
		info, config    func(*server.Peer)
		policy, version string
		warns           bool
		refused         string
	}{
		{name: "embedded", config: unknown},
		{name: "only CONFIG tells", info: forbid, config: tellPolicy, policy: "noeviction"},
		{name: "only CONFIG tells, and it evicts", info: forbid, config: tellPolicy, policy: "allkeys-lru", refused: "allkeys-lru"},
		{name: "only INFO tells", info: tellAll, config: forbid, policy: "noeviction", version: "7.2.4"},
		{name: "only INFO tells, and it evicts", info: tellAll, config: unknown, policy: "volatile-lru", version: "7.2.4", refused: "volatile-lru"},
		{name: "nobody tells", info: forbid, config: forbid, warns: true},
		{name: "a real server without CONFIG", info: tellVersion, config: unknown, version: "7.2.4", warns: true},
		{name: "too old", info: tellAll, config: forbid, policy: "noeviction", version: "4.0.14", refused: "Redis 4.0.14"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			info, config, policy, version = test.info, test.config, test.policy, test.version
			err := s.Check(t.Context())
			if test.refused != "" {
				refused := new(state.Refused)
				require.ErrorAs(t, err, &refused)
				require.ErrorContains(t, err, test.refused)
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.warns, len(s.Warnings()) == 1, s.Warnings())
		})
	}
}
