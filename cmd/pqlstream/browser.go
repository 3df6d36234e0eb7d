package main

import (
	"context"
	"os/exec"
)

// browser returns what shows a page in the browser of whoever sits there, nil where nobody does.
func browser(system string, env func(string) string) func(ctx context.Context, page string) error {
	command := browserCommand(system, env)
	if command == nil {
		return nil
	}
	return func(ctx context.Context, page string) error {
		// It may stay for as long as the browser does.
		return exec.CommandContext(ctx, command[0], append(command[1:], page)...).Start()
	}
}

func browserCommand(system string, env func(string) string) []string {
	if env("CI") != "" {
		return nil
	}
	switch system {
	case "darwin":
		return []string{"open"}
	case "windows":
		return []string{"rundll32", "url.dll,FileProtocolHandler"}
	case "linux", "freebsd", "openbsd", "netbsd":
		if env("DISPLAY") != "" || env("WAYLAND_DISPLAY") != "" { // elsewhere a browser would take over the terminal
			return []string{"xdg-open"}
		}
	}
	return nil
}
