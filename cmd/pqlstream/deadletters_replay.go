package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/pqlstream/pqlstream/pkg/deadletter"
)

// replayFlags are the flags of `pqlstream dead-letters replay`.
type replayFlags struct {
	lettersFlags
	to     string
	dryRun bool
	yes    bool
}

func newDeadLettersReplay() *cobra.Command {
	var f replayFlags
	cmd := &cobra.Command{
		Use:   "replay",
		Short: "Send the records of dead letters again, to the topics that they came from",
		Long: `Sends the records of dead letters again as they were: bytes, key, headers, timestamp, and partition (those of wrong_partition where their key
belongs). A header, ` + deadletter.HeaderReplayed + `, says that they are sent again and from which letter. Mend what was wrong first: what still can't be used
becomes a dead letter again, and only that one can be sent from then on. The letters stay where they are, for as long as their topic keeps them.

` + doubles + `

It refuses, and says why: records that pqlstream wrote itself, as between ingest and activation; letters that hold the event as pqlstream had it instead
of the source's record, unless the topic is read in that form; what was cut; topics that are compacted or are none of input.sources. It needs the
settings of the processes that run, and holds what it sends in memory.`,
		Example: `  pqlstream dead-letters replay --config pqlstream.yaml --code unknown_schema --since 7d --dry-run
  pqlstream dead-letters replay -c pqlstream.yaml --since 36h --until 1h --yes -o json
  pqlstream dead-letters replay -c pqlstream.yaml --topic usage --code undecodable --to repairs --yes`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.replay(cmd) },
	}
	f.addTo(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.to, "to", "", "the `topic` to send to (default: where each came from)")
	flags.BoolVar(&f.dryRun, "dry-run", false, "say what would be sent, and send nothing")
	flags.BoolVar(&f.yes, "yes", false, "don't ask whether it is meant")
	complete(cmd, "to", f.sources)
	return cmd
}

// doubles says what comes of records that were used already.
const doubles = `An event with an id that has counted already does not count again, as far as its account remembers ids: by default for 24 hours of event time, and
256 other ids. One without an id, or forgotten by then, counts once more each time that it is sent.`

func (f *replayFlags) replay(cmd *cobra.Command) error {
	if err := f.checkReplay(isTerminal(cmd.InOrStdin())); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), f.timeout)
	defer cancel()
	c, client, err := f.open(ctx, cmd)
	if err != nil {
		return err
	}
	defer client.Close()
	reading := progressOn(cmd.ErrOrStderr(), "letters read")
	replay, err := deadletter.Prepare(ctx, client, c, f.query, f.to, func(n int) { reading.at(n, 0) })
	reading.end()
	if err != nil {
		return err
	}
	report := newReplayReport(replay, f.dryRun)
	if !f.dryRun && report.Sendable > 0 {
		if !f.yes {
			if err := confirmReplay(report, newQuestions(cmd.InOrStdin(), cmd.ErrOrStderr())); err != nil {
				return err
			}
		}
		report.Sent, err = f.send(cmd, replay)
	}
	if err == nil && !f.dryRun && report.Sendable == 0 && report.Selected > 0 {
		err = fmt.Errorf("none of the %d dead letters can be sent again", report.Selected)
	}
	return errors.Join(err, f.output.write(cmd.OutOrStdout(), report, func(w io.Writer) error { return writeReplay(w, report) }))
}

func (f *replayFlags) checkReplay(asked bool) error {
	q := &f.query
	if len(q.Codes)+len(q.Topics)+len(q.IDs) == 0 && f.since == "" && f.until == "" {
		return misused("which are to be sent again? --code, --topic, --id, --since or --until says so")
	}
	if !f.yes && !f.dryRun && !asked {
		return misused("--yes: here is nobody to ask whether it is meant: run it on a terminal, or give --yes, or --dry-run to see what would be sent")
	}
	return f.check()
}

// send sends what can be sent, in a time of its own: people may have taken theirs to answer.
func (f *replayFlags) send(cmd *cobra.Command, replay *deadletter.Replay) (sent int, err error) {
	ctx, cancel := context.WithTimeout(cmd.Context(), f.timeout)
	defer cancel()
	sending := progressOn(cmd.ErrOrStderr(), "sent")
	defer sending.end()
	if sent, err = replay.Send(ctx, sending.at); err != nil {
		err = fmt.Errorf("%w; %d of %d have arrived for certain, and sending again sends those once more", err, sent, len(replay.Letters()))
	}
	return sent, err
}
