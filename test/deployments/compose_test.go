package deployments

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// compose is what the tests look at of docker-compose.yml; cmd/pqlstream tests that the settings and commands in it are the program's.
type compose struct {
	Services map[string]struct {
		Image       string                       `yaml:"image"`
		Build       *struct{ Dockerfile string } `yaml:"build"`
		Command     []string                     `yaml:"command"`
		Environment map[string]string            `yaml:"environment"`
		Ports       []string                     `yaml:"ports"`
		Volumes     []string                     `yaml:"volumes"`
		DependsOn   yaml.Node                    `yaml:"depends_on"`
	} `yaml:"services"`
	Volumes map[string]any `yaml:"volumes"`
}

func readCompose(t *testing.T) (c compose) {
	t.Helper()
	require.NoError(t, yaml.Unmarshal([]byte(read(t, "docker-compose.yml")), &c))
	return c
}

func TestWhatComposeNamesIsThere(t *testing.T) {
	c := readCompose(t)
	for name, s := range c.Services {
		for _, v := range s.Volumes {
			source, _, _ := strings.Cut(v, ":")
			if strings.HasPrefix(source, ".") {
				require.FileExists(t, filepath.Join(root, source, map[bool]string{true: "pqlstream.yaml"}[source == "./config"]), name)
			} else {
				require.Contains(t, c.Volumes, source, name)
			}
		}
		for _, p := range s.Ports {
			require.True(t, strings.HasPrefix(p, "127.0.0.1:"), "%s: others reach %s", name, p)
		}
		for _, n := range s.DependsOn.Content {
			if n.Kind == yaml.ScalarNode {
				require.Contains(t, c.Services, n.Value, name)
			}
		}
		if s.Build != nil {
			require.FileExists(t, filepath.Join(root, s.Build.Dockerfile))
		}
	}
	require.Contains(t, c.Services["redis"].Command, "noeviction")
	require.Equal(t, "broker,controller", c.Services["kafka"].Environment["KAFKA_PROCESS_ROLES"])
}

// Ports that are published, and what Prometheus and Grafana read, are those that the services listen on.
func TestServicesOfComposeFindOneAnother(t *testing.T) {
	c := readCompose(t)
	ours := c.Services["pqlstream"]
	_, metrics, err := net.SplitHostPort(ours.Environment["PQLSTREAM_HTTP_ADDRESS"])
	require.NoError(t, err)
	_, api, err := net.SplitHostPort(ours.Environment["PQLSTREAM_API_ADDRESS"])
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"127.0.0.1:" + metrics + ":" + metrics, "127.0.0.1:" + api + ":" + api}, ours.Ports)
	require.Contains(t, read(t, "deployments/prometheus/prometheus.yml"), `"pqlstream:`+metrics+`"`)
	require.Contains(t, read(t, "deployments/prometheus/prometheus.yml"), "rule_files: [/etc/prometheus/rules.yml]")
	require.Contains(t, c.Services["prometheus"].Volumes, "./deployments/prometheus/rules.yml:/etc/prometheus/rules.yml:ro")
	require.Contains(t, read(t, "deployments/grafana/datasource.yml"), "url: http://prometheus:9090")
	dashboards := regexp.MustCompile(`path: (/[\w/]+)`).FindStringSubmatch(read(t, "deployments/grafana/dashboards.yml"))
	require.NotNil(t, dashboards)
	require.Contains(t, c.Services["grafana"].Volumes, "./deployments/grafana/pqlstream.json:"+dashboards[1]+"/pqlstream.json:ro")
	for name, address := range map[string]string{
		"kafka": ours.Environment["PQLSTREAM_KAFKA_BROKERS"], "redis": ours.Environment["PQLSTREAM_REDIS_ADDRESSES"],
		"registry": strings.TrimPrefix(ours.Environment["PQLSTREAM_REGISTRY_URL"], "http://"),
	} {
		host, port, err := net.SplitHostPort(address)
		require.NoError(t, err)
		require.Equal(t, name, host)
		switch name {
		case "kafka":
			require.Contains(t, c.Services["kafka"].Environment["KAFKA_ADVERTISED_LISTENERS"], "INSIDE://kafka:"+port)
		case "registry":
			require.True(t, strings.HasSuffix(c.Services["registry"].Environment["SCHEMA_REGISTRY_LISTENERS"], ":"+port))
		}
	}
}

// The image runs as nobody in particular, and copies what is there.
func TestTheDockerfileIsInOrder(t *testing.T) {
	text := read(t, "deployments/Dockerfile")
	_, image, found := strings.Cut(text, "\nFROM gcr.io/")
	require.True(t, found)
	_, released, found := strings.Cut(read(t, "deployments/release.Dockerfile"), "\nFROM gcr.io/")
	require.True(t, found)
	require.Equal(t, image, strings.Replace(released, "ARG TARGETPLATFORM\nCOPY $TARGETPLATFORM/pqlstream", "COPY --from=build /pqlstream", 1), "the image of a release is the same")
	require.Regexp(t, `(?m)^USER nonroot`, text)
	for _, line := range regexp.MustCompile(`(?m)^COPY ([^-\n].*) \S+$`).FindAllStringSubmatch(text, -1) {
		for _, source := range strings.Fields(line[1]) {
			_, err := os.Stat(filepath.Join(root, source))
			require.NoError(t, err)
		}
	}
	// What the program is built from is all copied.
	for _, dir := range []string{"cmd", "pkg", "schemas", "config"} {
		require.Contains(t, text, "COPY "+dir+" "+dir+"\n")
	}
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(read(t, "go.mod"))
	require.Contains(t, text, "FROM golang:"+version[1]+" AS build")
}
