package config

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestIdentitySettings(t *testing.T) {
	c, err := load(t, minimal+"stages: [ingest, resolve, activation]\n", map[string]string{"input.identity.users_without_account": "resolve"})
	require.NoError(t, err)
	assert.Equal(t, Identity{UsersWithoutAccount: ResolveUsers, Hold: 72 * time.Hour, HoldEvents: 100}, c.Input.Identity)
	assert.True(t, c.ResolvesUsers())
	assert.Equal(t, "pql.resolve", c.Group(Resolve))

	c, err = load(t, minimal, map[string]string{"input.identity.merge.event": "account_merged", "input.identity.merge.from": "properties.old.id"})
	require.NoError(t, err)
	assert.False(t, c.ResolvesUsers())
	assert.Equal(t, "old.id", c.Input.Identity.Merge.Property())
}

// A process that runs activation alone must not read the source itself where others ingest it.
func TestWhatNeedsIngestIsNeverReadDirectly(t *testing.T) {
	for setting, value := range map[string]string{
		"input.identity.users_without_account": "resolve", "input.identity.erase_account.event": "gone", "input.identity.erase_user.event": "gone",
	} {
		c, err := load(t, minimal, map[string]string{setting: value})
		require.NoError(t, err)
		assert.False(t, c.Direct(), setting)
		assert.Equal(t, "pql.usage", c.ActivationInput())
	}
	c, err := load(t, minimal, nil)
	require.NoError(t, err)
	assert.True(t, c.Direct())
}

// A process that only resolves has no checklist, but Redis.
func TestResolveNeedsRedis(t *testing.T) {
	_, err := load(t, `
stages: [resolve]
kafka: {brokers: [localhost:9092]}
registry: {url: http://localhost:8081}
input: {sources: [{topic: usage}], identity: {users_without_account: resolve}}
`, nil)
	require.ErrorContains(t, err, "redis.addresses: none given")
	require.NotContains(t, err.Error(), "checklist")
}
