package main

import (
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pqlstream/pqlstream/pkg/config"
)

func newConfigShow() *cobra.Command {
	var s settings
	var told output
	origin, changed := false, false
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Show every setting as a process would take it, and where it comes from",
		Long: `Shows what the file, the environment and the flags make together: flags come before the environment, the environment before
the file, the file before defaults. Secrets are shown as ***. Settings that are not valid are refused, as by every command.`,
		Example: `  pqlstream config show --config pqlstream.yaml
  pqlstream config show -c pqlstream.yaml --origin --changed
  pqlstream config show -c pqlstream.yaml --set kafka.client_id=leads --origin -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			overrides, err := s.overrides()
			if err != nil {
				return err
			}
			values, err := config.Values(s.file, overrides)
			if err != nil {
				return err
			}
			return showSettings(cmd.OutOrStdout(), &told, shownSettings(values, origin, changed), origin)
		},
	}
	s.addTo(cmd)
	told.addTo(cmd)
	cmd.Flags().BoolVar(&origin, "origin", false, "tell where each comes from: default, file and line, variable, flag, or the file that holds a secret")
	cmd.Flags().BoolVar(&changed, "changed", false, "only what is no default")
	return cmd
}

// shownSetting is a setting as programs read it.
type shownSetting struct {
	Setting string        `json:"setting"`
	Value   any           `json:"value"`
	Origin  config.Origin `json:"origin,omitempty"`
	Place   string        `json:"place,omitempty"`
}

func shownSettings(values []config.Value, origin, changed bool) []shownSetting {
	shown := []shownSetting{}
	for _, v := range values {
		if changed && v.Origin == config.FromDefault {
			continue
		}
		s := shownSetting{Setting: v.Path, Value: written(v.Value)}
		if origin {
			s.Origin, s.Place = v.Origin, v.Place
		}
		shown = append(shown, s)
	}
	return shown
}

// written is a value as it would be written into a file.
func written(v any) any {
	switch v := v.(type) {
	case time.Duration, config.Bytes:
		return fmt.Sprint(v)
	}
	if r := reflect.ValueOf(v); r.Kind() == reflect.Slice && r.Len() == 0 {
		return []any{}
	}
	return v
}

func showSettings(w io.Writer, told *output, shown []shownSetting, origin bool) error {
	return told.write(w, shown, func(w io.Writer) error {
		headings := []string{"SETTING", "VALUE"}
		if origin {
			headings = append(headings, "FROM")
		}
		t := newTable(w, headings...)
		for _, s := range shown {
			row := []cell{plain(s.Setting), plain(inOneLine(s.Value))}
			if origin {
				from := cell{text: strings.TrimSpace(string(s.Origin) + " " + s.Place)}
				if s.Origin == config.FromDefault {
					from.colour = grey
				}
				row = append(row, from)
			}
			t.add(row...)
		}
		return t.write(w)
	})
}

// inOneLine writes texts as they are and lists as JSON has them.
func inOneLine(v any) string {
	if r := reflect.ValueOf(v); r.Kind() == reflect.String {
		return fmt.Sprint(v)
	}
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(text)
}
