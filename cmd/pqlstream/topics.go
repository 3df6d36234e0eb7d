package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/kafka"
	"github.com/pqlstream/pqlstream/pkg/telemetry"
)

// topicsFlags are the flags of the commands on topics.
type topicsFlags struct {
	settings
	timeout time.Duration
}

func newTopics() *cobra.Command {
	var f topicsFlags
	cmd := &cobra.Command{
		Use:   "topics",
		Short: "Create or check the topics of a deployment",
		Args:  cobra.NoArgs,
		RunE:  showHelp,
	}
	f.addTo(cmd)
	cmd.PersistentFlags().DurationVar(&f.timeout, "timeout", 30*time.Second, "how long Kafka may take")
	cmd.AddCommand(newTopicsCreate(&f), newTopicsCheck(&f))
	return cmd
}

func newTopicsCreate(f *topicsFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "create",
		Short: "Create the topics that are missing, then check all of them",
		Long:  "Creates the deployment's topics that don't exist and changes none that does. It can be repeated.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.with(cmd, func(ctx context.Context, topics *kafka.Topics, plan *kafka.Plan) error {
				created, err := topics.Create(ctx, plan)
				for _, name := range created {
					fmt.Fprintln(cmd.OutOrStdout(), "created", name)
				}
				if err != nil {
					return err
				}
				return checkTopics(ctx, cmd, topics, plan)
			})
		},
	}
}

func newTopicsCheck(f *topicsFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Say what is wrong with the topics, and what to do about it",
		Long:  "Compares the topics with what the deployment needs. Warnings don't make it fail.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.with(cmd, func(ctx context.Context, topics *kafka.Topics, plan *kafka.Plan) error {
				return checkTopics(ctx, cmd, topics, plan)
			})
		},
	}
}

// with connects to Kafka, finds out what topics the deployment needs, and does something about them.
func (f *topicsFlags) with(cmd *cobra.Command, do func(context.Context, *kafka.Topics, *kafka.Plan) error) error {
	c, log, err := f.start(cmd)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), f.timeout)
	defer cancel()
	client, err := kafka.NewClient(c.Kafka, log)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := kafka.Reach(ctx, client, c.Kafka); err != nil {
		return err
	}
	topics := kafka.NewTopics(client, c.Kafka)
	plan, err := topics.Plan(ctx, c)
	if err != nil {
		return err
	}
	return do(ctx, topics, plan)
}

func (f *topicsFlags) start(cmd *cobra.Command) (*config.Config, *slog.Logger, error) {
	c, err := f.load()
	if err != nil {
		return nil, nil, err
	}
	log, err := telemetry.NewLogger(c.Log, cmd.ErrOrStderr())
	return c, log, err
}

func checkTopics(ctx context.Context, cmd *cobra.Command, topics *kafka.Topics, plan *kafka.Plan) error {
	warnings, err := topics.Check(ctx, plan)
	for _, w := range warnings {
		fmt.Fprintln(cmd.OutOrStdout(), "warning:", w)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "all %d topics are as they have to be\n", len(plan.Specs))
	return nil
}
