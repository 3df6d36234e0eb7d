package main

import (
	"io"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// requireTaken requires that a command line is one that the program takes, without running it.
func requireTaken(t *testing.T, args []string) {
	t.Helper()
	root := newRoot(io.Discard, io.Discard)
	cmd, rest, err := root.Find(args)
	require.NoError(t, err, args)
	require.NotSame(t, root, cmd, args)
	require.NoError(t, cmd.ParseFlags(rest), args)
	require.NoError(t, cmd.ValidateArgs(cmd.Flags().Args()), args)
}

func TestWhatDeploymentsRunIsTaken(t *testing.T) {
	unit, err := os.ReadFile("../../deployments/systemd/pqlstream.service")
	require.NoError(t, err)
	commands := regexp.MustCompile(`(?m)^Exec\w+=/usr/bin/pqlstream (.*)$`).FindAllSubmatch(unit, -1)
	require.Len(t, commands, 2)
	for _, c := range commands {
		requireTaken(t, strings.Fields(string(c[1])))
	}

	dockerfile, err := os.ReadFile("../../deployments/Dockerfile")
	require.NoError(t, err)
	command := regexp.MustCompile(`(?m)^CMD (\[.*\])$`).FindSubmatch(dockerfile)
	require.NotNil(t, command)
	requireTaken(t, listOf(t, command[1]))
	health := regexp.MustCompile(`(?m)^HEALTHCHECK .* CMD (\[.*\])$`).FindSubmatch(dockerfile)
	require.NotNil(t, health)
	requireTaken(t, listOf(t, health[1])[1:])

	chart, err := os.ReadFile("../../deployments/helm/pqlstream/templates/statefulset.yaml")
	require.NoError(t, err)
	args := regexp.MustCompile(`(?m)^ +args: (\[.*\])$`).FindSubmatch(chart)
	require.NotNil(t, args)
	requireTaken(t, listOf(t, args[1]))
}

func listOf(t *testing.T, text []byte) (items []string) {
	t.Helper()
	require.NoError(t, yaml.Unmarshal(text, &items))
	return items
}

// The settings that docker-compose.yml gives are settings, and good ones; its commands are taken.
func TestComposeGivesGoodSettings(t *testing.T) {
	text, err := os.ReadFile("../../docker-compose.yml")
	require.NoError(t, err)
	var file struct {
		Services map[string]struct {
			Image       string            `yaml:"image"`
			Command     []string          `yaml:"command"`
			Environment map[string]string `yaml:"environment"`
		} `yaml:"services"`
	}
	require.NoError(t, yaml.Unmarshal(text, &file))
	ours := 0
	for name, s := range file.Services {
		if s.Image != "pqlstream" {
			continue
		}
		ours++
		if s.Command != nil {
			requireTaken(t, s.Command)
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Chdir("../..")
			for key, value := range s.Environment {
				t.Setenv(key, withDefault(value))
			}
			r := pqlstream(t, "config", "check", "--config", "config/pqlstream.yaml")
			require.Equal(t, exitDone, r.code, r.stderr)
			require.Contains(t, r.stdout, "the checklist in config/checklists/demo.yaml is valid")
			for key := range s.Environment {
				require.Contains(t, configuration(t), "`"+key+"`", "no such setting")
			}
		})
	}
	require.Equal(t, 2, ours)
}

// withDefault is what compose makes of ${NAME:-DEFAULT} where NAME is not set.
func withDefault(value string) string {
	return regexp.MustCompile(`\$\{\w+:-([^}]*)\}`).ReplaceAllString(value, "$1")
}

// configuration is the reference page of the settings.
func configuration(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("docs/configuration.md")
	require.NoError(t, err)
	return string(page)
}
