package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/pqlstream/pqlstream/pkg/app"
	"github.com/pqlstream/pqlstream/pkg/report"
	"github.com/pqlstream/pqlstream/pkg/top"
)

// topFlags are the flags of `pqlstream top`.
type topFlags struct {
	settings
	urls     []string
	interval time.Duration
	once     bool
	output   output
}

func newTop() *cobra.Command {
	var f topFlags
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Watch stages, partitions, lag, rates, commits, Redis and the latest PQLs",
		Long: `Shows, and keeps showing until q or Ctrl-C, where the deployment stands: from Kafka how far each stage is, from Redis its memory and
the latest PQLs, and from the processes, by their listeners for metrics, what they own, how fast they are and how long their commits
take. Where there is no terminal, with --once, and for programs (--output json or yaml) it shows two moments' difference once, and ends.

Without --metrics-url it asks the one process whose http.address the settings have.`,
		Example: `  pqlstream top --config pqlstream.yaml
  pqlstream top -c pqlstream.yaml --metrics-url http://pql-0:9464/metrics --metrics-url http://pql-1:9464/metrics
  pqlstream top -c pqlstream.yaml --once -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.addTo(cmd)
	cmd.Flags().StringArrayVar(&f.urls, "metrics-url", nil, "`URL` of a process's metrics; can be repeated")
	cmd.Flags().DurationVar(&f.interval, "interval", time.Second, "how long between two looks")
	cmd.Flags().BoolVar(&f.once, "once", false, "show it once, and end")
	f.output.addTo(cmd)
	return cmd
}

func (f *topFlags) run(cmd *cobra.Command) error {
	if f.interval < 100*time.Millisecond {
		return misused("--interval %v: it is 100ms or more", f.interval)
	}
	c, err := f.load()
	if err != nil {
		return err
	}
	log, err := quietLog(c, cmd) // warnings would break the picture
	if err != nil {
		return err
	}
	if len(f.urls) == 0 && c.HTTP.Address != "" {
		f.urls = []string{"http://" + c.HTTP.Address + "/metrics"}
	}
	ctx, cancel := context.WithCancel(cmd.Context())
	defer cancel()
	opening, opened := context.WithTimeout(ctx, openTimeout)
	defer opened()
	monitor, err := app.OpenMonitor(opening, c, log, f.urls)
	if err != nil {
		return err
	}
	defer monitor.Close()
	if screen := terminal(cmd.OutOrStdout()); screen != nil && !f.once && f.output.forPeople() {
		return f.watch(ctx, cancel, monitor, cmd.InOrStdin(), screen)
	}
	return f.show(ctx, monitor, cmd.OutOrStdout())
}

// openTimeout is how long Kafka and Redis may take at first.
const openTimeout = 30 * time.Second

// show draws what there is once, with rates between two looks.
func (f *topFlags) show(ctx context.Context, m *app.Monitor, w io.Writer) error {
	before := m.Sample(ctx, time.Now())
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(f.interval):
	}
	now := m.Sample(ctx, time.Now())
	return f.output.write(w, newTopReport(before, now), func(w io.Writer) error {
		_, err := fmt.Fprintln(w, top.Screen(before, now, report.PipeWidth, 0, paintOn(w).colour))
		return err
	})
}

// The terminal's own words: a second screen without cursor, and back.
const (
	enter  = "\x1b[?1049h\x1b[?25l"
	leave  = "\x1b[?25h\x1b[?1049l"
	toHome = "\x1b[H"
	toEnd  = "\x1b[K"
	below  = "\x1b[J"
)

// watch draws until somebody has had enough.
func (f *topFlags) watch(ctx context.Context, enough func(), m *app.Monitor, in io.Reader, screen *os.File) (err error) {
	if keys := terminal(in); keys != nil {
		was, rawErr := term.MakeRaw(int(keys.Fd()))
		if rawErr != nil {
			return fmt.Errorf("asking the terminal for keys: %w", rawErr)
		}
		defer func() { err = errors.Join(err, term.Restore(int(keys.Fd()), was)) }()
		go untilEnough(keys, enough)
	}
	fmt.Fprint(screen, enter)
	defer fmt.Fprint(screen, leave)
	tick := time.NewTicker(f.interval)
	defer tick.Stop()
	for before := (*top.Sample)(nil); ; {
		asking, asked := context.WithTimeout(ctx, f.interval+openTimeout)
		now := m.Sample(asking, time.Now())
		asked()
		if ctx.Err() != nil {
			return nil
		}
		columns, lines, err := term.GetSize(int(screen.Fd()))
		if err != nil {
			return fmt.Errorf("asking how large the terminal is: %w", err)
		}
		fmt.Fprint(screen, frame(top.Screen(before, now, columns, lines, paintOn(screen).colour)))
		before = now
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// frame draws over what was drawn before. A terminal that tells of keys wants to be told to go back to the left.
func frame(screen string) string {
	return toHome + strings.ReplaceAll(screen, "\n", toEnd+"\r\n") + toEnd + below
}

// untilEnough reads keys until one says so: q, Escape, Ctrl-C, Ctrl-D.
func untilEnough(keys io.Reader, enough func()) {
	defer enough()
	one := make([]byte, 1)
	for {
		if _, err := keys.Read(one); err != nil || strings.ContainsRune("qQ\x1b\x03\x04", rune(one[0])) {
			return
		}
	}
}
