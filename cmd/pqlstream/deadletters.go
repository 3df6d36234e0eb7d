package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/deadletter"
	"github.com/pqlstream/pqlstream/pkg/kafka"
	"github.com/pqlstream/pqlstream/pkg/pipeline"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

func newDeadLetters() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dead-letters",
		Short: "Look at the records that could not be used, and send them again",
		Example: `  pqlstream dead-letters list --config pqlstream.yaml
  pqlstream dead-letters replay --code unknown_schema --dry-run --config pqlstream.yaml`,
		Args: cobra.NoArgs,
		RunE: showHelp,
	}
	cmd.AddCommand(newDeadLettersList(), newDeadLettersReplay())
	return cmd
}

// lettersFlags are the flags of the commands on dead letters: which are meant.
type lettersFlags struct {
	settings
	output  output
	query   deadletter.Query
	since   string
	until   string
	timeout time.Duration
}

func (f *lettersFlags) addTo(cmd *cobra.Command) {
	f.settings.addTo(cmd)
	f.output.addTo(cmd)
	flags := cmd.Flags()
	flags.StringArrayVar(&f.query.Codes, "code", nil, "only those with this `code`, which says what is wrong, such as unknown_schema; can be repeated")
	flags.StringArrayVar(&f.query.Topics, "topic", nil, "only those of records from this `topic`; can be repeated")
	flags.StringArrayVar(&f.query.IDs, "id", nil, "only the one with this `id`, which is where its record was: topic-partition@offset; can be repeated")
	flags.StringVar(&f.since, "since", "", "only those that failed since a `time`: 2025-03-01, 2025-03-01T12:00:00Z, or so long ago: 90m, 36h, 7d, 4w")
	flags.StringVar(&f.until, "until", "", "only those that failed before a `time`, in the same forms")
	flags.DurationVar(&f.timeout, "timeout", 2*time.Minute, "how long reading Kafka may take, and how long writing may")
	complete(cmd, "code", func() []string { return commonCodes })
	complete(cmd, "topic", f.sources)
}

func (f *lettersFlags) sources() []string {
	return fromSettings(&f.settings, func(c *config.Config) (topics []string) {
		for i := range c.Input.Sources {
			topics = append(topics, c.Input.Sources[i].Topic)
		}
		return topics
	})
}

// commonCodes are those that records of sources have most.
var commonCodes = []string{
	usage.CodeUndecodable, usage.CodeUnknownSchema, usage.CodeUnmappableSchema, usage.CodeAccountIDMissing, usage.CodeUserIDMissing, usage.CodeEventMissing,
	usage.CodeTimestampMissing, usage.CodeTimestampOutOfRange, usage.CodeTimestampInFuture, usage.CodePropertyWrongType, usage.CodeTooManyProperties,
	pipeline.CodeUserWithoutAccount, pipeline.CodeWrongPartition,
}

// check completes the query. What is wrong with the flags is in the error.
func (f *lettersFlags) check() (err error) {
	now := time.Now()
	if f.query.Since, err = momentOf("since", f.since, now); err != nil {
		return err
	}
	if f.query.Until, err = momentOf("until", f.until, now); err != nil {
		return err
	}
	for _, id := range f.query.IDs {
		if !deadletter.IsID(id) {
			return misused("--id %s: it is topic-partition@offset, such as usage-1@42", id)
		}
	}
	return nil
}

// open connects to Kafka. Close the client.
func (f *lettersFlags) open(ctx context.Context, cmd *cobra.Command) (*config.Config, *kgo.Client, error) {
	c, err := f.load()
	if err != nil {
		return nil, nil, err
	}
	var log *slog.Logger
	if log, err = quietLog(c, cmd); err != nil {
		return nil, nil, err
	}
	client, err := deadletter.NewClient(c.Kafka, log)
	if err != nil {
		return nil, nil, err
	}
	if err := kafka.Reach(ctx, client, c.Kafka); err != nil {
		client.Close()
		return nil, nil, err
	}
	return c, client, nil
}
