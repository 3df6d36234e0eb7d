package deployments

import (
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/pqlstream/pqlstream/pkg/config"
)

// As docs/tuning.md has it: what a process may take is three times its cache at least.
func TestTheCacheIsAThirdOfTheMemoryAtMost(t *testing.T) {
	var values struct {
		Settings struct {
			Runtime struct {
				CacheMemory any `yaml:"cache_memory"`
			} `yaml:"runtime"`
		} `yaml:"settings"`
		Resources struct{ Requests, Limits map[string]string } `yaml:"resources"`
	}
	require.NoError(t, yaml.Unmarshal([]byte(read(t, "deployments/helm/pqlstream/values.yaml")), &values))
	require.Nil(t, values.Settings.Runtime.CacheMemory, "the default is what is compared here")
	unit := regexp.MustCompile(`(?m)^MemoryMax=(\S+)$`).FindStringSubmatch(read(t, "deployments/systemd/pqlstream.service"))
	require.NotNil(t, unit)
	cache := int64(config.Default().Runtime.CacheMemory)
	require.Positive(t, cache)
	for what, limit := range map[string]string{
		"the chart's request": values.Resources.Requests["memory"], "the chart's limit": values.Resources.Limits["memory"], "the unit's limit": unit[1] + "i",
	} {
		gib := regexp.MustCompile(`^(\d+)Gi$`).FindStringSubmatch(limit)
		require.NotNil(t, gib, "%s: %s", what, limit)
		n, err := strconv.ParseInt(gib[1], 10, 64)
		require.NoError(t, err)
		require.GreaterOrEqual(t, n<<30/3, cache, what)
	}
}
