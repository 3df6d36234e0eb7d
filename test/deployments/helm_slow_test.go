//go:build slow

package deployments

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

const chart = root + "/deployments/helm/pqlstream"

// values are the files of values that the chart is tested with.
func values(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/helm/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	return files
}

// object is a Kubernetes object.
type object map[string]any

// at returns what lies at a path of names, nil where there is nothing.
func (o object) at(path ...string) any {
	var value any = map[string]any(o)
	for _, name := range path {
		m, _ := value.(map[string]any)
		value = m[name]
	}
	return value
}

func (o object) kind() string { return o["kind"].(string) }

func (o object) name() string { return o.at("metadata", "name").(string) }

// rendered are the objects that the chart makes of values.
func rendered(t *testing.T, args ...string) (text string, objects []object) {
	t.Helper()
	text = run(t, tool(t, "bin/helm-*"), append([]string{"template", "leads", chart, "--namespace", "growth", "--kube-version", "1.31.0"}, args...)...)
	documents := yaml.NewDecoder(strings.NewReader(text))
	for {
		var o map[string]any
		if documents.Decode(&o) != nil {
			return text, objects
		}
		if o != nil {
			objects = append(objects, o)
		}
	}
}

func only(t *testing.T, objects []object, kind, name string) object {
	t.Helper()
	for _, o := range objects {
		if o.kind() == kind && o.name() == name {
			return o
		}
	}
	require.Fail(t, "there is no "+kind+" "+name)
	return nil
}

func TestHelmLintsTheChart(t *testing.T) {
	for _, file := range values(t) {
		run(t, tool(t, "bin/helm-*"), "lint", "--strict", chart, "--values", file)
	}
}

// Every object is one that Kubernetes takes, of the oldest version that the chart names up to a new one.
func TestKubernetesTakesWhatTheChartMakes(t *testing.T) {
	schemas, own := tool(t, "schemas"), customSchemas(t)
	for _, file := range values(t) {
		manifest := filepath.Join(t.TempDir(), filepath.Base(file))
		for _, version := range []string{"1.25.0", "1.31.0", "1.37.0"} {
			text, _ := rendered(t, "--values", file, "--kube-version", version)
			require.NoError(t, os.WriteFile(manifest, []byte(text), 0o600))
			run(t, tool(t, "bin/kubeconform-*"), "-strict", "-kubernetes-version", version,
				"-schema-location", schemas+"/{{ .NormalizedKubernetesVersion }}/{{ .ResourceKind }}{{ .KindSuffix }}.json",
				"-schema-location", own+"/{{ .ResourceKind }}-{{ .ResourceAPIVersion }}.json", manifest)
		}
	}
}

// A schema that took everything would show nothing.
func TestWhatKubernetesDoesNotTakeIsNoticed(t *testing.T) {
	text, _ := rendered(t, "--values", "testdata/helm/everything.yaml")
	schemas, own := tool(t, "schemas"), customSchemas(t)
	for old, wrong := range map[string]string{
		"serviceName:": "servicename:", "containerPort: 9464": "containerPort: many", "policyTypes:": "types:", "endpoints:": "endpoint:", "expr:": "expression:",
	} {
		require.Contains(t, text, old)
		manifest := filepath.Join(t.TempDir(), "wrong.yaml")
		require.NoError(t, os.WriteFile(manifest, []byte(strings.Replace(text, old, wrong, 1)), 0o600))
		out, err := command(t, tool(t, "bin/kubeconform-*"), "-strict", "-kubernetes-version", "1.31.0",
			"-schema-location", schemas+"/{{ .NormalizedKubernetesVersion }}/{{ .ResourceKind }}{{ .KindSuffix }}.json",
			"-schema-location", own+"/{{ .ResourceKind }}-{{ .ResourceAPIVersion }}.json", manifest)
		require.Error(t, err, wrong)
		require.Contains(t, out, "is invalid", wrong)
	}
}

// customSchemas makes JSON schemas of the definitions of custom resources, and returns their folder.
func customSchemas(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(tool(t, "schemas"), "*.yaml"))
	require.NoError(t, err)
	require.Len(t, files, 3)
	dir := t.TempDir()
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var definition struct {
			Spec struct {
				Names    struct{ Kind string }
				Versions []struct {
					Name   string
					Schema struct {
						Schema map[string]any `yaml:"openAPIV3Schema"`
					}
				}
			}
		}
		require.NoError(t, yaml.Unmarshal(text, &definition))
		for _, v := range definition.Spec.Versions {
			closeSchema(v.Schema.Schema)
			out, err := json.Marshal(v.Schema.Schema)
			require.NoError(t, err)
			name := strings.ToLower(definition.Spec.Names.Kind) + "-" + v.Name + ".json"
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), out, 0o600))
		}
	}
	return dir
}

// closeSchema has a schema of Kubernetes' refuse what it does not name, and says in JSON Schema's terms what may be a number or a text.
func closeSchema(schema map[string]any) {
	if schema["x-kubernetes-int-or-string"] == true {
		delete(schema, "type")
	}
	if _, named := schema["properties"]; named && schema["additionalProperties"] == nil && schema["x-kubernetes-preserve-unknown-fields"] == nil {
		schema["additionalProperties"] = false
	}
	for key, value := range schema {
		switch value := value.(type) {
		case map[string]any:
			if key == "properties" {
				for _, property := range value {
					closeSchema(property.(map[string]any))
				}
			} else if key == "items" || key == "additionalProperties" {
				closeSchema(value)
			}
		}
	}
}

// What objects name of one another is there: selectors meet the pods' labels, ports and volumes have names, the services are where others look.
func TestObjectsOfTheChartFindOneAnother(t *testing.T) {
	for _, file := range values(t) {
		_, objects := rendered(t, "--values", file)
		set := objects[slices.IndexFunc(objects, func(o object) bool { return o.kind() == "StatefulSet" })]
		labels := set.at("spec", "template", "metadata", "labels").(map[string]any)
		only(t, objects, "Service", set.at("spec", "serviceName").(string))
		names := map[string]bool{}
		for _, o := range objects {
			key := o.kind() + "/" + o.name()
			require.False(t, names[key], "%s: two are called %s", file, key)
			names[key] = true
			var selector any
			switch o.kind() {
			case "Service":
				selector = o.at("spec", "selector")
			case "PodDisruptionBudget", "StatefulSet":
				selector = o.at("spec", "selector", "matchLabels")
			case "NetworkPolicy":
				selector = o.at("spec", "podSelector", "matchLabels")
			case "HorizontalPodAutoscaler", "ScaledObject":
				require.Equal(t, set.name(), o.at("spec", "scaleTargetRef", "name"))
				require.NotContains(t, set["spec"], "replicas", "it would undo what the autoscaler does")
			case "ServiceMonitor":
				service := only(t, objects, "Service", set.at("spec", "serviceName").(string))
				require.Subset(t, service.at("metadata", "labels"), o.at("spec", "selector", "matchLabels"))
			}
			if selector != nil {
				require.Subset(t, labels, selector, "%s %s", file, key)
			}
		}
		container := object(set.at("spec", "template", "spec", "containers").([]any)[0].(map[string]any))
		volumes := map[string]bool{}
		for _, v := range set.at("spec", "template", "spec", "volumes").([]any) {
			volumes[v.(map[string]any)["name"].(string)] = true
		}
		for _, m := range container["volumeMounts"].([]any) {
			name := m.(map[string]any)["name"].(string)
			require.True(t, volumes[name], "%s: there is no volume %s", file, name)
			delete(volumes, name)
		}
		require.Empty(t, volumes, "nobody mounts them")
		require.Equal(t, true, container.at("securityContext", "readOnlyRootFilesystem"))
		require.Equal(t, true, set.at("spec", "template", "spec", "securityContext", "runAsNonRoot"))
	}
}

// The settings that the chart writes are ones that the program takes, with the files that they name.
func TestThePodsGetGoodSettings(t *testing.T) {
	program := filepath.Join(t.TempDir(), "pqlstream")
	run(t, "go", "build", "-o", program, root+"/cmd/pqlstream")
	for _, file := range values(t) {
		_, objects := rendered(t, "--values", file)
		set := objects[slices.IndexFunc(objects, func(o object) bool { return o.kind() == "StatefulSet" })]
		files := only(t, objects, "ConfigMap", set.name()).at("data").(map[string]any)
		pod := t.TempDir()
		settings := strings.ReplaceAll(files["pqlstream.yaml"].(string), "/etc/pqlstream/", pod+"/")
		write := func(name, text string) string {
			path := filepath.Join(pod, name)
			require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
			require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
			return path
		}
		if list, own := files["checklist.yaml"]; own {
			write("checklist/checklist.yaml", list.(string))
		} else {
			write("checklist/checklist.yaml", read(t, "config/checklists/demo.yaml"))
		}
		for _, secret := range regexp.MustCompile(`/secrets/([\w-]+)`).FindAllStringSubmatch(settings, -1) {
			write("secrets/"+secret[1], "key=a-secret-of-some-length")
		}
		out := run(t, program, "config", "check", "--config", write("pqlstream.yaml", settings))
		require.Contains(t, out, "the settings are valid", file)
	}
}

// Pods are made anew when the settings or the checklist change, and only then.
func TestPodsAreMadeAnewWhenTheirSettingsChange(t *testing.T) {
	sum := func(args ...string) any {
		_, objects := rendered(t, append([]string{"--values", "testdata/helm/plain.yaml"}, args...)...)
		return only(t, objects, "StatefulSet", "leads-pqlstream").at("spec", "template", "metadata", "annotations", "checksum/config")
	}
	plain := sum()
	require.NotEmpty(t, plain)
	require.Equal(t, plain, sum("--set", "replicas=5"))
	require.NotEqual(t, plain, sum("--set", "settings.log.level=debug"))
	require.NotEqual(t, plain, sum("--set", "checklist=other"))
}

// Pods are spread over nodes and zones, unless the values say how.
func TestPodsAreSpread(t *testing.T) {
	for file, want := range map[string][]string{
		"testdata/helm/plain.yaml": {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}, "testdata/helm/everything.yaml": {"topology.kubernetes.io/zone"},
	} {
		_, objects := rendered(t, "--values", file)
		template := object(only(t, objects, "StatefulSet", "leads-pqlstream").at("spec", "template").(map[string]any))
		var got []string
		for _, c := range template.at("spec", "topologySpreadConstraints").([]any) {
			constraint := object(c.(map[string]any))
			got = append(got, constraint["topologyKey"].(string))
			require.Equal(t, "ScheduleAnyway", constraint["whenUnsatisfiable"])
			require.Subset(t, template.at("metadata", "labels"), constraint.at("labelSelector", "matchLabels"))
		}
		require.Equal(t, want, got)
	}
}

// What nodes are drained by knows of pods that are not ready where Kubernetes has it, from 1.27 on.
func TestDrainingANodeDoesNotWaitForPodsThatAreNotReady(t *testing.T) {
	for version, want := range map[string]any{"1.25.0": nil, "1.26.9": nil, "1.27.0": "AlwaysAllow", "1.31.4-gke.1": "AlwaysAllow"} {
		_, objects := rendered(t, "--values", "testdata/helm/plain.yaml", "--kube-version", version)
		require.Equal(t, want, only(t, objects, "PodDisruptionBudget", "leads-pqlstream").at("spec", "unhealthyPodEvictionPolicy"), version)
	}
}

// Membership is static: each pod is a member under its name.
func TestPodsAreMembersUnderTheirNames(t *testing.T) {
	text, _ := rendered(t, "--values", "testdata/helm/plain.yaml")
	require.Regexp(t, `name: PQLSTREAM_KAFKA_INSTANCE_ID\s+valueFrom: \{fieldRef: \{fieldPath: metadata.name\}\}`, text)
}

// A network policy lets the pods reach all that their settings name.
func TestPodsMayReachWhatTheirSettingsName(t *testing.T) {
	for _, file := range values(t) {
		_, objects := rendered(t, "--values", file, "--set", "networkPolicy.enabled=true")
		name := objects[slices.IndexFunc(objects, func(o object) bool { return o.kind() == "StatefulSet" })].name()
		open := map[string]bool{}
		for _, rule := range only(t, objects, "NetworkPolicy", name).at("spec", "egress").([]any) {
			for _, port := range rule.(map[string]any)["ports"].([]any) {
				open[fmt.Sprint(port.(map[string]any)["port"])] = true
			}
		}
		named := regexp.MustCompile(`[\w.-]+:\d+`).FindAllString(only(t, objects, "ConfigMap", name).at("data", "pqlstream.yaml").(string), -1)
		reached := 0
		for _, address := range named {
			if host, port, _ := strings.Cut(address, ":"); host != "0.0.0.0" {
				require.True(t, open[port], "%s: %s can't be reached", file, address)
				reached++
			}
		}
		require.GreaterOrEqual(t, reached, 3, file)
	}
	_, objects := rendered(t, "--values", "testdata/helm/everything.yaml")
	var ports []any
	for _, port := range only(t, objects, "NetworkPolicy", "leads-pqlstream").at("spec", "egress").([]any)[1].(map[string]any)["ports"].([]any) {
		ports = append(ports, port.(map[string]any)["port"])
	}
	require.Equal(t, []any{9093, 6379, 8081, 443, 9094}, ports, "each once; https without a port is 443")
}

// Values that can't be meant are refused, in words.
func TestWrongValuesAreRefused(t *testing.T) {
	for set, want := range map[string]string{
		"replica=3":                                      "additional properties 'replica' not allowed",
		"settings.redis.password=x":                      "/settings/redis/password",
		"settings.stages={activate}":                     "/settings/stages/0",
		"settings.tracing.headers=x":                     "/settings/tracing/headers",
		"checklist=":                                     "the stage activation needs a checklist",
		"api.enabled=true":                               "api.enabled needs secrets.apiToken.secret",
		"metrics.port=80":                                "/metrics/port",
		"autoscaling.kind=both":                          "/autoscaling/kind",
		"terminationGracePeriodSeconds=10":               "pods would be killed while they stop, which may take 10s",
		"settings.runtime.shutdown_timeout=1m30s":        "terminationGracePeriodSeconds is 30: pods would be killed while they stop, which may take 1m30s",
		"autoscaling.enabled=true,autoscaling.kind=keda": "autoscaling.kind keda needs autoscaling.keda.serverAddress",
	} {
		out, err := command(t, tool(t, "bin/helm-*"), "template", "leads", chart, "--kube-version", "1.31.0", "--values", "testdata/helm/plain.yaml", "--set", set)
		require.Error(t, err, set)
		require.Contains(t, out, want, set)
	}
}
