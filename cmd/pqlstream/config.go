package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/pqlstream/pqlstream/pkg/app"
	"github.com/pqlstream/pqlstream/pkg/config"
)

func newConfig() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Look at settings",
		Example: `  pqlstream config check --config pqlstream.yaml
  pqlstream config show --config pqlstream.yaml --origin`,
		Args: cobra.NoArgs,
		RunE: showHelp,
	}
	cmd.AddCommand(newConfigCheck(), newConfigShow())
	return cmd
}

func newConfigCheck() *cobra.Command {
	var s settings
	var told output
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Say whether the settings and the checklist are valid, listing all mistakes",
		Long: "Reads the settings, the files that they name and the checklist, and lists everything that is wrong with them.\n" +
			"It connects to nothing.",
		Example: `  pqlstream config check --config pqlstream.yaml
  pqlstream config check -c pqlstream.yaml --set checklist=checklists/new.yaml`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := s.load()
			if err != nil {
				return err
			}
			if err := checkFiles(c); err != nil {
				return err
			}
			r := validSettings{Settings: s.file, Valid: true}
			if c.Checklist != "" {
				if r.Checklist, err = validChecklistOf(c); err != nil {
					return err
				}
			}
			return told.write(cmd.OutOrStdout(), &r, r.tell)
		},
	}
	s.addTo(cmd)
	told.addTo(cmd)
	return cmd
}

// validSettings is what there is to say when nothing is wrong.
type validSettings struct {
	Settings  string         `json:"settings"` // the file
	Valid     bool           `json:"valid"`
	Checklist *checklistSeen `json:"checklist"`
}

type checklistSeen struct {
	File    string `json:"file"`
	Name    string `json:"name"`
	Version int    `json:"version"`
	Steps   int    `json:"steps"`
	Tiers   int    `json:"tiers"`
}

func (r *validSettings) tell(w io.Writer) error {
	fmt.Fprintln(w, "the settings are valid")
	if l := r.Checklist; l != nil {
		fmt.Fprintf(w, "the checklist in %s is valid: %s, version %d, %d steps, %d tiers\n", l.File, l.Name, l.Version, l.Steps, l.Tiers)
	}
	return nil
}

// validChecklistOf holds the checklist of the settings against them.
func validChecklistOf(c *config.Config) (*checklistSeen, error) {
	list, err := app.LoadChecklist(c.Checklist)
	if err != nil {
		return nil, err
	}
	if err := c.CheckWith(list); err != nil {
		return nil, err
	}
	return &checklistSeen{c.Checklist, list.Name(), list.Version(), len(list.Steps()), len(list.Tiers())}, nil
}

// checkFiles reads the files that clients would read.
func checkFiles(c *config.Config) error {
	_, kafkaErr := c.Kafka.TLS.Load()
	if kafkaErr != nil {
		kafkaErr = fmt.Errorf("kafka.tls: %w", kafkaErr)
	}
	_, redisErr := c.Redis.TLS.Load()
	if redisErr != nil {
		redisErr = fmt.Errorf("redis.tls: %w", redisErr)
	}
	return errors.Join(kafkaErr, redisErr)
}
