package main

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/pqlstream/pqlstream/pkg/deadletter"
)

func newDeadLettersList() *cobra.Command {
	var f lettersFlags
	limit := 0
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List dead letters, the newest first: what was wrong, and where the record was",
		Long: `Reads the topic of dead letters, all that is kept of it. Tables show what was wrong; json and yaml have the records as well, byte by byte:
key, headers and value, in base64.`,
		Example: `  pqlstream dead-letters list --config pqlstream.yaml --since 36h
  pqlstream dead-letters list -c pqlstream.yaml --code unknown_schema --topic usage --limit 5 -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.list(cmd, limit) },
	}
	f.addTo(cmd)
	cmd.Flags().IntVar(&limit, "limit", 100, "how many `letters` at most; 0: all")
	return cmd
}

func (f *lettersFlags) list(cmd *cobra.Command, limit int) error {
	if limit < 0 {
		return misused("--limit %d: it is a number of letters, or 0 for all", limit)
	}
	if err := f.check(); err != nil {
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
	found, err := deadletter.List(ctx, client, c.TopicNames().DeadLetters, f.query, limit, func(n int) { reading.at(n, 0) })
	reading.end()
	if err != nil {
		return err
	}
	return f.output.write(cmd.OutOrStdout(), newLettersPage(found), func(w io.Writer) error { return writeLetters(w, found) })
}

func writeLetters(w io.Writer, found *deadletter.Listing) error {
	if found.Total == 0 {
		fmt.Fprintln(w, "none")
	} else {
		t := newTable(w, "FAILED (UTC)", "STAGE", "CODE", "TOPIC-PARTITION@OFFSET", "BYTES", "DETAIL")
		for _, l := range found.Letters {
			t.add(plain(dayOf(&l.FailedAt)), plain(l.Stage), plain(l.Reason), plain(l.ID()), number(strconv.Itoa(l.Size())), plain(l.Message))
		}
		if err := t.write(w); err != nil {
			return err
		}
	}
	if n := len(found.Letters); n < found.Total {
		fmt.Fprintf(w, "%d of %d; for more: --limit\n", n, found.Total)
	}
	return tellForeign(w, found.Foreign)
}

// tellForeign says that there are records which are no dead letters.
func tellForeign(w io.Writer, n int) (err error) {
	if n > 0 {
		_, err = fmt.Fprintf(w, "%d records of the topic are no dead letters\n", n)
	}
	return err
}

// lettersPage is a list of dead letters as programs read it. The fields have the names of the schema.
type lettersPage struct {
	Items   []letterItem `json:"items"`
	Total   int          `json:"total"`
	Foreign int          `json:"foreign"` // records that are no dead letters
}

type letterItem struct {
	ID        string         `json:"id"`
	FailedAt  int64          `json:"failed_at"`
	Stage     string         `json:"stage"`
	Reason    string         `json:"reason"`
	Message   string         `json:"message"`
	Topic     string         `json:"topic"`
	Partition int32          `json:"partition"`
	Offset    int64          `json:"offset"`
	Timestamp int64          `json:"timestamp"`
	Replays   string         `json:"replays"` // the letter that its record was sent again from; empty: it was not
	Size      int            `json:"size"`
	Truncated bool           `json:"truncated"`
	Key       []byte         `json:"key"`
	Headers   []letterHeader `json:"headers"`
	Value     []byte         `json:"value"`
}

type letterHeader struct {
	Key   string `json:"key"`
	Value []byte `json:"value"`
}

func newLettersPage(found *deadletter.Listing) *lettersPage {
	p := &lettersPage{Items: []letterItem{}, Total: found.Total, Foreign: found.Foreign}
	for _, l := range found.Letters {
		item := letterItem{
			ID: l.ID(), FailedAt: l.FailedAt, Stage: l.Stage, Reason: l.Reason, Message: l.Message, Topic: l.Topic, Partition: l.Partition, Offset: l.Offset,
			Timestamp: l.Timestamp, Replays: l.Replays(), Size: l.Size(), Truncated: l.Truncated, Key: l.Key, Headers: []letterHeader{}, Value: l.Value,
		}
		for _, h := range l.Headers {
			item.Headers = append(item.Headers, letterHeader(h))
		}
		p.Items = append(p.Items, item)
	}
	return p
}
