package top

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/kafka"
)

// Screen draws a sample in so many columns and lines at most; 0 lines are as many as it takes. before is the sample before, nil for
// none: rates come from the two. paint marks what somebody should look at, by an ANSI code such as 31.
func Screen(before, now *Sample, columns, lines int, paint func(code, text string) string) string {
	s := &screen{columns: columns, paint: paint}
	s.head(now)
	s.stages(now.stages(before))
	s.redis(&now.Redis)
	for _, m := range now.Missing {
		s.line(s.paint(yellow, "! "+account.Shown(m)))
	}
	left := lines - len(s.lines)
	if lines == 0 {
		left = len(now.Lags) + len(now.PQLs) + 6
	}
	pqls := min(len(now.PQLs), max(left/2-2, 3))
	s.partitions(now.Lags, left-pqls-4)
	s.pqls(now, pqls)
	if lines > 0 && len(s.lines) > lines {
		s.lines = s.lines[:lines]
	}
	return strings.Join(s.lines, "\n")
}

const (
	red    = "31"
	green  = "32"
	yellow = "33"
	bold   = "1"
)

// screen collects lines.
type screen struct {
	columns int
	paint   func(code, text string) string
	lines   []string
}

// line adds a line that is cut where the terminal ends.
func (s *screen) line(text string) { s.lines = append(s.lines, cut(text, s.columns)) }

func (s *screen) title(text string) {
	s.line("")
	s.line(s.paint(bold, text))
}

func (s *screen) head(now *Sample) {
	ready := 0
	for _, p := range now.Processes {
		if p.Ready {
			ready++
		}
	}
	standing := fmt.Sprintf("%d of %d processes ready", ready, len(now.Processes))
	colour := green
	if ready < len(now.Processes) || ready == 0 {
		colour = yellow
	}
	s.line(s.paint(bold, "pqlstream") + "  " + now.At.UTC().Format("2006-01-02 15:04:05") + " UTC  " + s.paint(colour, standing))
}

func (s *screen) stages(stages []stageSum) {
	s.title(fmt.Sprintf("%-11s %9s %9s %8s %10s %9s %9s %8s %8s %9s", "STAGE", "OWNED", "WAITING", "LAG", "RECORDS/S", "COMMIT", "MIRROR", "CACHED", "DEAD", "REDONE"))
	for i := range stages {
		st := &stages[i]
		waiting, lag := fmt.Sprintf("%9d", st.Waiting), fmt.Sprintf("%8s", short(st.lag))
		if st.Waiting > 0 {
			waiting = s.paint(yellow, waiting)
		}
		if st.rate > 0 && float64(st.lag) > 60*st.rate { // it takes more than a minute to catch up
			lag = s.paint(yellow, lag)
		}
		redone := fmt.Sprintf("%9s", short(int64(st.Unconfirmed)))
		if st.Unconfirmed > 0 {
			redone = s.paint(yellow, redone)
		}
		s.line(fmt.Sprintf("%-11s %9d %s %s %10s %9s %9d %8s %8s %s", account.Shown(st.Name), st.Owned, waiting, lag, short(int64(st.rate)), inMillis(st.commit),
			st.MirrorBacklog, short(int64(st.Cached)), short(int64(st.DeadLetters)), redone))
	}
}

func (s *screen) redis(r *Redis) {
	if r.Servers == 0 {
		return
	}
	memory := megabytes(r.Used)
	if r.Limit > 0 {
		memory += fmt.Sprintf(" of %s (%d %%)", megabytes(r.Limit), 100*r.Used/r.Limit)
		if r.Used > r.Limit/10*9 {
			memory = s.paint(red, memory)
		}
	}
	s.line("")
	s.line(fmt.Sprintf("%s  %s, %s commands/s, clients: %d, servers: %d", s.paint(bold, "Redis"), memory, short(r.PerSecond), r.Clients, r.Servers))
}

// partitions shows those that lag most.
func (s *screen) partitions(lags []kafka.Lag, room int) {
	if len(lags) == 0 || room < 1 {
		return
	}
	most := slices.Clone(lags)
	slices.SortStableFunc(most, func(a, b kafka.Lag) int { return int(min(max(b.Records-a.Records, -1), 1)) })
	title := fmt.Sprintf("%-11s %-32s %9s %12s %12s %8s", "STAGE", "TOPIC", "PARTITION", "COMMITTED", "END", "LAG")
	if len(most) > room {
		most = most[:room]
		title += fmt.Sprintf("   (%d of %d)", room, len(lags))
	}
	s.title(title)
	for _, l := range most {
		committed := "none"
		if l.Committed >= 0 {
			committed = fmt.Sprint(l.Committed)
		}
		s.line(fmt.Sprintf("%-11s %-32s %9d %12s %12d %8s", account.Shown(string(l.Stage)), cut(account.Shown(l.Topic), 32), l.Partition, committed, l.End, short(l.Records)))
	}
}

func (s *screen) pqls(now *Sample, n int) {
	if len(now.PQLs) == 0 {
		return
	}
	s.title(fmt.Sprintf("%-24s %-10s %6s  %-16s  %s", fmt.Sprintf("LATEST PQLS (%d)", now.PQLsTotal), "TIER", "RATE", "QUALIFIED (UTC)", "NEXT"))
	for i := range n {
		r := &now.PQLs[i]
		at, next := "-", ""
		if r.QualifiedAt != nil {
			at = time.UnixMilli(*r.QualifiedAt).UTC().Format("2006-01-02 15:04")
		}
		if r.Playbook != nil {
			next = r.Playbook.Name
		}
		s.line(fmt.Sprintf("%-24s %-10s %4.0f %%  %-16s  %s", cut(account.Shown(r.AccountID), 24), cut(account.Shown(r.Tier), 10), 100*r.Rate, at, account.Shown(next)))
	}
}

// cut shortens text to so many characters. Colours take no room.
func cut(text string, most int) string {
	if most <= 0 || utf8.RuneCountInString(text) <= most {
		return text
	}
	var kept strings.Builder
	n, coloured := 0, false
	for i := 0; i < len(text); {
		if strings.HasPrefix(text[i:], "\x1b[") {
			end := i + strings.IndexByte(text[i:], 'm') + 1
			coloured = text[i:end] != "\x1b[0m"
			kept.WriteString(text[i:end])
			i = end
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		if n++; n > most {
			break
		}
		kept.WriteRune(r)
		i += size
	}
	if coloured {
		kept.WriteString("\x1b[0m")
	}
	return kept.String()
}

// short writes a number in at most five characters.
func short(n int64) string {
	switch {
	case n < 10_000:
		return fmt.Sprint(n)
	case n < 10_000_000:
		return fmt.Sprintf("%dk", n/1000)
	case n < 10_000_000_000:
		return fmt.Sprintf("%dM", n/1_000_000)
	}
	return fmt.Sprintf("%dG", n/1_000_000_000)
}

func inMillis(d time.Duration) string {
	if d == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f ms", d.Seconds()*1000)
}

func megabytes(n int64) string { return fmt.Sprintf("%d MiB", n>>20) }
