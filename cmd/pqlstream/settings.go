package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/pqlstream/pqlstream/pkg/config"
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
}

func (s *settings) load() (*config.Config, error) {
	overrides := map[string]string{}
	for _, pair := range s.set {
		key, value, found := strings.Cut(pair, "=")
		if !found {
			return nil, config.Problems{{Path: "--set " + pair, Text: "it is not setting=value"}}
		}
		overrides[key] = value
	}
	return config.Load(s.file, overrides)
}
