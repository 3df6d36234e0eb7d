package deployments

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

func promtool(t *testing.T, args ...string) string {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is missing: install it (Debian: apt-get install prometheus)")
	}
	return run(t, path, args...)
}

func TestPromtoolTakesTheAlerts(t *testing.T) {
	require.Contains(t, promtool(t, "check", "rules", filepath.Join(root, "deployments/prometheus/rules.yml")), "SUCCESS")
	promtool(t, "check", "config", "--syntax-only", filepath.Join(root, "deployments/prometheus/prometheus.yml"))
}

// Each alert fires where rules_test.yml says, and nowhere else.
func TestAlertsFireWhenTheyShould(t *testing.T) {
	promtool(t, "test", "rules", filepath.Join(root, "deployments/prometheus/rules_test.yml"))
}

func TestTheUnitIsOneThatSystemdTakes(t *testing.T) {
	path, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is missing: install it (Debian: apt-get install systemd)")
	}
	unit := filepath.Join(root, "deployments/systemd/pqlstream.service")
	out, _ := command(t, path, "verify", unit) // it fails where the program is not installed
	before254 := regexp.MustCompile(`Unknown key (name )?'(RestartSteps|RestartMaxDelaySec)'`)
	require.NotContains(t, before254.ReplaceAllString(out, ""), "Unknown")
	require.NotContains(t, out, "Failed to parse")
	run(t, path, "security", "--offline=true", "--threshold=20", unit) // 2.0 of 10: well sandboxed
}
