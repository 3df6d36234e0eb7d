package deployments

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/pqlstream/pqlstream/pkg/telemetry"
)

const root = "../.."

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	require.NoError(t, err)
	return string(text)
}

// What Prometheus itself adds to every series, and its operator the namespace.
var scraped = []string{"namespace", "job", "instance", "le"}

// series are the labels of each series that a process exports, by name: docs/metrics-reference.md, which a test of pkg/app
// holds against the collectors, and those of the Go runtime.
func series(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	quoted := regexp.MustCompile("`([^`]+)`")
	for _, row := range regexp.MustCompile("(?m)^\\| `(pqlstream_\\w+)` \\| (\\w+) \\| ([^|]*) \\|").FindAllStringSubmatch(read(t, "docs/metrics-reference.md"), -1) {
		labels := slices.Clone(scraped)
		for _, l := range quoted.FindAllStringSubmatch(row[3], -1) {
			labels = append(labels, l[1])
		}
		names := []string{row[1]}
		if row[2] == "histogram" {
			names = []string{row[1] + "_bucket", row[1] + "_sum", row[1] + "_count"}
		}
		for _, name := range names {
			all[name] = labels
		}
	}
	require.NotEmpty(t, all)
	families, err := telemetry.NewRegistry().Gather()
	require.NoError(t, err)
	for _, f := range families {
		all[f.GetName()] = scraped
	}
	return all
}

var (
	selected = regexp.MustCompile(`\b((?:pqlstream|process|go)_\w+)(?:\{([^}]*)\})?`)
	matched  = regexp.MustCompile(`(\w+)\s*(?:=~|!~|!=|=)`)
	grouped  = regexp.MustCompile(`\b(?:by|on|without|ignoring)\s*\(([^)]*)\)`)
)

// wrong says what an expression reads that is not exported, be it a label; empty: all of it is.
func wrong(known map[string][]string, expr string) string {
	var labels []string
	found := selected.FindAllStringSubmatch(expr, -1)
	if len(found) == 0 {
		return "it reads nothing"
	}
	for _, s := range found {
		has, exported := known[s[1]]
		if !exported {
			return s[1] + " is not exported"
		}
		for _, m := range matched.FindAllStringSubmatch(s[2], -1) {
			if !slices.Contains(has, m[1]) {
				return s[1] + " has no label " + m[1]
			}
		}
		labels = append(labels, has...)
	}
	for _, g := range grouped.FindAllStringSubmatch(expr, -1) {
		for _, l := range strings.Split(g[1], ",") {
			if !slices.Contains(labels, strings.TrimSpace(l)) {
				return "nothing in it has a label" + l
			}
		}
	}
	return ""
}

// An expression that speaks of what is not exported would never fire, and say nothing.
func TestUnknownNamesAreNoticed(t *testing.T) {
	known := map[string][]string{"pqlstream_a_total": {"stage"}}
	for expr, want := range map[string]string{
		`sum by (stage) (rate(pqlstream_a_total{stage=~"x"}[5m]))`:  "",
		`pqlstream_a_total > 1 and rate(pqlstream_b_total[5m]) > 0`: "pqlstream_b_total is not exported",
		`pqlstream_a_total{stage="x", code!="y"}`:                   "pqlstream_a_total has no label code",
		`sum by (stage, code) (pqlstream_a_total)`:                  "nothing in it has a label code",
		`vector(1)`: "it reads nothing",
	} {
		require.Equal(t, want, wrong(known, expr), expr)
	}
}

func TestRulesSpeakOfWhatIsExported(t *testing.T) {
	known := series(t)
	for _, r := range alerts(t) {
		require.Empty(t, wrong(known, r.Expr), r.Expr)
	}
}

// alert is a rule of deployments/prometheus/rules.yml.
type alert struct {
	Alert       string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

func alerts(t *testing.T) (list []alert) {
	t.Helper()
	var file struct {
		Groups []struct {
			Name  string  `yaml:"name"`
			Rules []alert `yaml:"rules"`
		} `yaml:"groups"`
	}
	decoder := yaml.NewDecoder(strings.NewReader(read(t, "deployments/prometheus/rules.yml")))
	decoder.KnownFields(true)
	require.NoError(t, decoder.Decode(&file))
	for _, g := range file.Groups {
		list = append(list, g.Rules...)
	}
	require.NotEmpty(t, list)
	return list
}

// Who is woken finds what to do: each alert has a heading of the runbook, and the runbook speaks of no other.
func TestEachAlertHasItsPlaceInTheRunbook(t *testing.T) {
	page, named := read(t, "docs/operations.md"), map[string]bool{}
	for _, a := range alerts(t) {
		named[a.Alert] = true
		require.True(t, strings.Contains(page, "\n### "+a.Alert+"\n"), "the runbook has no %s", a.Alert)
		require.True(t, strings.HasSuffix(a.Annotations["runbook_url"], "docs/operations.md#"+strings.ToLower(a.Alert)), a.Alert)
		require.NotEmpty(t, a.Annotations["summary"], a.Alert)
		require.NotEmpty(t, a.Annotations["description"], a.Alert)
		require.Contains(t, []string{"critical", "warning"}, a.Labels["severity"], a.Alert)
	}
	for _, heading := range regexp.MustCompile(`(?m)^### (Pqlstream\w+)$`).FindAllStringSubmatch(page, -1) {
		require.True(t, named[heading[1]], "there is no alert %s", heading[1])
	}
}

// Each alert has a test in which it fires and one in which it does not; promtool runs them.
func TestEachAlertIsTested(t *testing.T) {
	var file struct {
		Tests []struct {
			Rules []struct {
				Name     string `yaml:"alertname"`
				Expected []any  `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		} `yaml:"tests"`
	}
	require.NoError(t, yaml.Unmarshal([]byte(read(t, "deployments/prometheus/rules_test.yml")), &file))
	fires, silent := map[string]bool{}, map[string]bool{}
	for _, test := range file.Tests {
		for _, r := range test.Rules {
			if len(r.Expected) > 0 {
				fires[r.Name] = true
			} else {
				silent[r.Name] = true
			}
		}
	}
	for _, a := range alerts(t) {
		require.True(t, fires[a.Alert], "%s is tested nowhere where it fires", a.Alert)
		require.True(t, silent[a.Alert], "%s is tested nowhere where it does not fire", a.Alert)
	}
}

func TestTheDashboardSpeaksOfWhatIsExported(t *testing.T) {
	var dashboard struct {
		Panels []struct {
			ID      int                      `json:"id"`
			Title   string                   `json:"title"`
			Type    string                   `json:"type"`
			GridPos struct{ H, W, X, Y int } `json:"gridPos"`
			Targets []struct{ Expr string }  `json:"targets"`
		} `json:"panels"`
		Templating struct {
			List []struct{ Name, Type, Definition string } `json:"list"`
		} `json:"templating"`
	}
	text := read(t, "deployments/grafana/pqlstream.json")
	require.NoError(t, json.Unmarshal([]byte(text), &dashboard))
	known, ids, variables := series(t), map[int]bool{}, map[string]bool{"__rate_interval": true, "__all": true, "datasource": true}
	for _, v := range dashboard.Templating.List {
		variables[v.Name] = true
		if v.Type == "query" {
			require.Empty(t, wrong(known, v.Definition), v.Definition)
		}
	}
	for _, p := range dashboard.Panels {
		require.False(t, ids[p.ID], "two panels have the id %d", p.ID)
		ids[p.ID] = true
		require.LessOrEqual(t, p.GridPos.X+p.GridPos.W, 24, p.Title)
		require.Equal(t, p.Type == "row", len(p.Targets) == 0, p.Title)
		for _, target := range p.Targets {
			require.Empty(t, wrong(known, target.Expr), target.Expr)
		}
	}
	for _, v := range regexp.MustCompile(`\$\{?(\w+)`).FindAllStringSubmatch(text, -1) {
		require.True(t, variables[v[1]], "there is no variable %s", v[1])
	}
}

// Each metric is on the dashboard or in an alert: what nobody looks at need not be exported.
func TestEachMetricIsLookedAt(t *testing.T) {
	used := read(t, "deployments/grafana/pqlstream.json") + read(t, "deployments/prometheus/rules.yml")
	for name := range series(t) {
		if strings.HasPrefix(name, "pqlstream_") && !strings.HasSuffix(name, "_sum") && !strings.HasSuffix(name, "_count") {
			require.True(t, strings.Contains(used, name), "%s is neither on the dashboard nor in an alert", name)
		}
	}
}

// What the docs and the program's texts say of metrics is true.
func TestDocsSpeakOfWhatIsExported(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	require.NoError(t, err)
	pages = append(pages, filepath.Join(root, "README.md"), filepath.Join(root, "DESIGN.md"))
	known := series(t)
	for _, page := range pages {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, s := range regexp.MustCompile(`\bpqlstream_[a-z_]+\b`).FindAllString(string(text), -1) {
			_, exported := known[s]
			_, histogram := known[s+"_bucket"]
			require.True(t, exported || histogram, "%s speaks of %s, which is not exported", page, s)
		}
	}
}

// The chart ships the rules and the dashboard: copies, since a chart can't reach beyond its folder.
func TestTheChartHasTheSameRulesAndDashboard(t *testing.T) {
	require.True(t, read(t, "deployments/prometheus/rules.yml") == read(t, "deployments/helm/pqlstream/files/rules.yml"), "run go generate ./test/deployments")
	require.True(t, read(t, "deployments/grafana/pqlstream.json") == read(t, "deployments/helm/pqlstream/files/dashboard.json"), "run go generate ./test/deployments")
}
