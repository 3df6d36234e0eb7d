package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/pqlstream/pqlstream/pkg/checklist"
	"github.com/pqlstream/pqlstream/pkg/config"
)

func newConfig() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Look at settings",
		Args:  cobra.NoArgs,
		RunE:  showHelp,
	}
	cmd.AddCommand(newConfigCheck())
	return cmd
}

func newConfigCheck() *cobra.Command {
	var s settings
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Say whether the settings and the checklist are valid, listing all mistakes",
		Long: "Reads the settings, the files that they name and the checklist, and lists everything that is wrong with them.\n" +
			"It connects to nothing.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := s.load()
			if err != nil {
				return err
			}
			if err := checkFiles(c); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), "the settings are valid")
			if c.Checklist == "" {
				return nil
			}
			list, err := readChecklist(c.Checklist)
			if err != nil {
				return err
			}
			if err := c.CheckWith(list); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "the checklist in %s is valid: %s, version %d, %d steps, %d tiers\n",
				c.Checklist, list.Name(), list.Version(), len(list.Steps()), len(list.Tiers()))
			return nil
		},
	}
	s.addTo(cmd)
	return cmd
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

func readChecklist(path string) (*checklist.Checklist, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the checklist: %w", err)
	}
	definition, err := checklist.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("the checklist in %s is not valid:\n%w", path, err)
	}
	list, err := checklist.Compile(definition)
	if err != nil {
		return nil, fmt.Errorf("the checklist in %s is not valid:\n%w", path, err)
	}
	return list, nil
}
