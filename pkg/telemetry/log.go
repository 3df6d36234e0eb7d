// Package telemetry is what a process says about itself: logs, metrics, whether it lives and whether it is ready.
package telemetry

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/pqlstream/pqlstream/pkg/config"
)

// NewLogger returns the logger that the settings ask for. It writes to w, one line a message.
func NewLogger(c config.Log, w io.Writer) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		return nil, fmt.Errorf("log.level: %w", err)
	}
	options := &slog.HandlerOptions{Level: level}
	switch c.Format {
	case "text":
		return slog.New(slog.NewTextHandler(w, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, options)), nil
	}
	return nil, fmt.Errorf("log.format: %q is not one of text, json", c.Format)
}
