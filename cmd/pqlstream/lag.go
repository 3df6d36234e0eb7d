package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/kafka"
)

// lagFlags are the flags of `pqlstream lag`.
type lagFlags struct {
	settings
	output  output
	stages  []string
	most    int64
	timeout time.Duration
}

// allowAny is the lag that is not to be exceeded where none was named.
const allowAny = -1

func newLag() *cobra.Command {
	var f lagFlags
	cmd := &cobra.Command{
		Use:   "lag",
		Short: "Say how far each stage is in each partition, from Kafka",
		Long: `Asks Kafka up to where each stage of the deployment has committed, and where partitions end. It needs no process that runs.
Offsets count transaction markers as well as records. What lies in transactions under way is not counted.

With --max it fails, with 1, where a partition lags by more: for scripts that wait, or alert.`,
		Example: `  pqlstream lag --config pqlstream.yaml
  pqlstream lag -c pqlstream.yaml --stage activation --max 10000
  pqlstream lag -c pqlstream.yaml -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.addTo(cmd)
	f.output.addTo(cmd)
	cmd.Flags().StringArrayVar(&f.stages, "stage", nil, "a `stage`; can be repeated (default: all that the settings need)")
	cmd.Flags().Int64Var(&f.most, "max", allowAny, "fail when a partition's lag is more `records` than this")
	cmd.Flags().Lookup("max").DefValue = ""
	cmd.Flags().DurationVar(&f.timeout, "timeout", 30*time.Second, "how long Kafka may take")
	complete(cmd, "stage", func() []string {
		return fromSettings(&f.settings, func(c *config.Config) []string { return stagesOf(kafka.Readings(c)) })
	})
	return cmd
}

func stagesOf(readings []kafka.Reading) (stages []string) {
	for _, s := range kafka.StagesOf(readings) {
		stages = append(stages, string(s))
	}
	return stages
}

func (f *lagFlags) run(cmd *cobra.Command) error {
	c, err := f.load()
	if err != nil {
		return err
	}
	readings, err := f.readings(c)
	if err != nil {
		return err
	}
	log, err := quietLog(c, cmd)
	if err != nil {
		return err
	}
	client, err := kafka.NewClient(c.Kafka, log)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(cmd.Context(), f.timeout)
	defer cancel()
	if err := kafka.Reach(ctx, client, c.Kafka); err != nil {
		return err
	}
	lags, err := kafka.Lags(ctx, client, readings)
	if err != nil {
		return err
	}
	if err := f.output.write(cmd.OutOrStdout(), newLagReport(lags), func(w io.Writer) error { return f.table(w, lags) }); err != nil {
		return err
	}
	for _, l := range lags {
		if f.exceeds(l.Records) {
			return fmt.Errorf("%s lags by %d records in partition %d of %s: that is more than %d", l.Stage, l.Records, l.Partition, l.Topic, f.most)
		}
	}
	return nil
}

// readings are those of the stages that were named.
func (f *lagFlags) readings(c *config.Config) (list []kafka.Reading, _ error) {
	all := kafka.Readings(c)
	for _, s := range f.stages {
		if !slices.Contains(stagesOf(all), s) {
			return nil, misused("--stage %s: by the settings there is no such stage; there are %v", s, stagesOf(all))
		}
	}
	for _, r := range all {
		if len(f.stages) == 0 || slices.Contains(f.stages, string(r.Stage)) {
			list = append(list, r)
		}
	}
	return list, nil
}

func (f *lagFlags) exceeds(lag int64) bool { return f.most >= 0 && lag > f.most }

func (f *lagFlags) table(w io.Writer, lags []kafka.Lag) error {
	t := newTable(w, "STAGE", "GROUP", "TOPIC", "PARTITION", "COMMITTED", "END", "LAG")
	for _, l := range lags {
		lag := number(strconv.FormatInt(l.Records, 10))
		if f.exceeds(l.Records) {
			lag.colour = red
		}
		committed := "none"
		if l.Committed >= 0 {
			committed = strconv.FormatInt(l.Committed, 10)
		}
		t.add(plain(string(l.Stage)), plain(l.Group), plain(l.Topic), number(strconv.Itoa(int(l.Partition))), number(committed),
			number(strconv.FormatInt(l.End, 10)), lag)
	}
	return t.write(w)
}

// lagReport is the lag as programs read it.
type lagReport struct {
	Total      int64          `json:"total"`
	Partitions []partitionLag `json:"partitions"`
}

type partitionLag struct {
	Stage     config.Stage `json:"stage"`
	Group     string       `json:"group"`
	Topic     string       `json:"topic"`
	Partition int32        `json:"partition"`
	Committed *int64       `json:"committed"` // null: nothing yet
	End       int64        `json:"end"`
	Lag       int64        `json:"lag"`
}

func newLagReport(lags []kafka.Lag) *lagReport {
	r := &lagReport{Partitions: []partitionLag{}}
	for _, l := range lags {
		p := partitionLag{Stage: l.Stage, Group: l.Group, Topic: l.Topic, Partition: l.Partition, End: l.End, Lag: l.Records}
		if l.Committed >= 0 {
			p.Committed = &l.Committed
		}
		r.Total += l.Records
		r.Partitions = append(r.Partitions, p)
	}
	return r
}
