package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/kafka"
)

// topicsFlags are the flags of the commands on topics.
type topicsFlags struct {
	settings
	output  output
	timeout time.Duration
}

func newTopics() *cobra.Command {
	var f topicsFlags
	cmd := &cobra.Command{
		Use:   "topics",
		Short: "Create or check the topics of a deployment",
		Example: `  pqlstream topics create --config pqlstream.yaml
  pqlstream topics check --config pqlstream.yaml`,
		Args: cobra.NoArgs,
		RunE: showHelp,
	}
	f.addTo(cmd)
	f.output.addToAll(cmd)
	cmd.PersistentFlags().DurationVar(&f.timeout, "timeout", 30*time.Second, "how long Kafka may take")
	cmd.AddCommand(newTopicsCreate(&f), newTopicsCheck(&f))
	return cmd
}

func newTopicsCreate(f *topicsFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "create",
		Short: "Create the topics that are missing, then check all of them",
		Long:  "Creates the deployment's topics that don't exist and changes none that does. It can be repeated.",
		Example: `  pqlstream topics create --config pqlstream.yaml
  pqlstream topics create -c pqlstream.yaml --set kafka.replication=3`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.with(cmd, func(ctx context.Context, topics *kafka.Topics, plan *kafka.Plan) error {
				created, err := topics.Create(ctx, plan)
				if err != nil {
					return errors.Join(err, f.tell(cmd, &topicsReport{Created: created}))
				}
				return f.check(ctx, cmd, topics, plan, created)
			})
		},
	}
}

func newTopicsCheck(f *topicsFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Say what is wrong with the topics, and what to do about it",
		Long:  "Compares the topics with what the deployment needs. Warnings don't make it fail.",
		Example: `  pqlstream topics check --config pqlstream.yaml
  pqlstream topics check -c pqlstream.yaml -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.with(cmd, func(ctx context.Context, topics *kafka.Topics, plan *kafka.Plan) error {
				return f.check(ctx, cmd, topics, plan, nil)
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
	log, err := quietLog(c, cmd)
	return c, log, err
}

// topicsReport is what there is to say of topics.
type topicsReport struct {
	Created  []string `json:"created"`
	Warnings []string `json:"warnings"`
	Fit      bool     `json:"fit"` // all are as they have to be
	Topics   []string `json:"topics"`
}

// check tells what was created and what is wrong.
func (f *topicsFlags) check(ctx context.Context, cmd *cobra.Command, topics *kafka.Topics, plan *kafka.Plan, created []string) error {
	warnings, err := topics.Check(ctx, plan)
	r := &topicsReport{Created: created, Warnings: warnings, Fit: err == nil}
	for _, s := range plan.Specs {
		r.Topics = append(r.Topics, s.Name)
	}
	return errors.Join(err, f.tell(cmd, r))
}

func (f *topicsFlags) tell(cmd *cobra.Command, r *topicsReport) error {
	for _, list := range []*[]string{&r.Created, &r.Warnings, &r.Topics} {
		*list = append([]string{}, *list...) // programs read lists, not null
	}
	return f.output.write(cmd.OutOrStdout(), r, func(w io.Writer) error {
		for _, name := range r.Created {
			fmt.Fprintln(w, "created", name)
		}
		for _, warning := range r.Warnings {
			fmt.Fprintln(w, paintOn(w).colour(yellow, "warning:"), warning)
		}
		if r.Fit {
			fmt.Fprintf(w, "all %d topics are as they have to be\n", len(r.Topics))
		}
		return nil
	})
}
