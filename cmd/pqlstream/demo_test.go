package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestDemo(t *testing.T) {
	r := pqlstream(t, "demo", "--accounts", "30", "--days", "40", "--epoch", "2025-06-02", "--dir", t.TempDir())
	assert.Equal(t, exitDone, r.code, r.stderr)
	assert.Empty(t, r.stderr)
	for _, part := range []string{"from 2025-06-02 on", "\nPQL rate: ", "\nTime to PQL: ", "\nPQL to paid: ", "\nWhere to begin: "} {
		assert.Contains(t, r.stdout, part)
	}
	assert.NotContains(t, r.stdout, "http://", "without a terminal it ends")

	r = pqlstream(t, "demo", "--accounts", "30", "--days", "10", "--verbose")
	assert.Equal(t, exitDone, r.code, r.stderr)
	assert.Contains(t, r.stderr, "msg=ready")

	for line, complaint := range map[string][]string{
		"--accounts and --days must be 1 or more":                         {"--accounts", "0"},
		"--epoch tomorrow: it is a day of the past, such as 2025-06-02":   {"--epoch", "tomorrow"},
		"--epoch 2999-01-01: it is a day of the past, such as 2025-06-02": {"--epoch", "2999-01-01"},
	} {
		r = pqlstream(t, append([]string{"demo"}, complaint...)...)
		assert.Equal(t, "pqlstream: "+line+"\n", r.stderr)
	}
}

func TestTheBrowserIsOpenedWhereSomebodySits(t *testing.T) {
	for _, c := range []struct {
		system string
		env    map[string]string
		want   string
	}{
		{"linux", map[string]string{"DISPLAY": ":0"}, "xdg-open"},
		{"linux", map[string]string{"WAYLAND_DISPLAY": "wayland-0"}, "xdg-open"},
		{"linux", nil, ""},
		{"linux", map[string]string{"DISPLAY": ":0", "CI": "true"}, ""},
		{"darwin", nil, "open"},
		{"darwin", map[string]string{"CI": "1"}, ""},
		{"windows", nil, "rundll32"},
		{"plan9", nil, ""},
	} {
		command := browserCommand(c.system, func(name string) string { return c.env[name] })
		if c.want == "" {
			assert.Empty(t, command, c)
			assert.Nil(t, browser(c.system, func(name string) string { return c.env[name] }))
			continue
		}
		assert.Equal(t, c.want, command[0], c)
	}
}
