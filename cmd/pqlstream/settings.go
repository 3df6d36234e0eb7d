package main

import (
	"log/slog"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/telemetry"
)

// settings are the flags of all commands that need the settings of a process.
type settings struct {
	file string
	set  []string
}

func (s *settings) addTo(cmd *cobra.Command) {
	flags := cmd.PersistentFlags()
	flags.StringVarP(&s.file, "config", "c", "", "`file` with the settings (YAML); without it, the environment alone counts")
	flags.StringArrayVar(&s.set, "set", nil, "one setting, such as --set kafka.client_id=leads; can be repeated")
	completeSettings(cmd)
}

func (s *settings) load() (*config.Config, error) {
	overrides, err := s.overrides()
	if err != nil {
		return nil, err
	}
	return config.Load(s.file, overrides)
}

// quietLog is the log of a command that ends by itself: what clients warn of meanwhile, such as that a broker is away, its error says.
func quietLog(c *config.Config, cmd *cobra.Command) (*slog.Logger, error) {
	return telemetry.NewLogger(config.Log{Level: "error", Format: c.Log.Format}, cmd.ErrOrStderr())
}

// overrides are the settings among the flags, by path.
func (s *settings) overrides() (map[string]string, error) {
	overrides := map[string]string{}
	for _, pair := range s.set {
		key, value, found := strings.Cut(pair, "=")
		if !found {
			return nil, misused("--set %s: it is not setting=value", pair)
		}
		overrides[key] = value
	}
	return overrides, nil
}
