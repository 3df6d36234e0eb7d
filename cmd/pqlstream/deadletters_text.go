package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/pqlstream/pqlstream/pkg/deadletter"
)

// replayReport is what there is to say of dead letters that are sent again.
type replayReport struct {
	DryRun   bool            `json:"dry_run"`
	Selected int             `json:"selected"` // letters that were asked for
	Sendable int             `json:"sendable"` // of these
	Sent     int             `json:"sent"`
	To       []replayTarget  `json:"to"`
	Refused  []replayRefused `json:"refused"`
	Foreign  int             `json:"foreign"` // records that are no dead letters
	Doubles  string          `json:"doubles"`
}

// replayTarget is how many records of one code go to a topic.
type replayTarget struct {
	Topic   string `json:"topic"`
	Reason  string `json:"reason"`
	Letters int    `json:"letters"`
}

// replayRefused are letters that can't be sent, for one cause.
type replayRefused struct {
	Why     string   `json:"why"`
	Letters []string `json:"letters"` // their ids
}

func newReplayReport(replay *deadletter.Replay, dryRun bool) *replayReport {
	r := &replayReport{
		DryRun: dryRun, Selected: replay.Selected, Sendable: len(replay.Letters()), To: []replayTarget{}, Refused: []replayRefused{}, Foreign: replay.Foreign,
		Doubles: strings.ReplaceAll(doubles, "\n", " "),
	}
	targets := map[replayTarget]int{}
	for _, l := range replay.Letters() {
		kind := replayTarget{Topic: replay.Target(l), Reason: l.Reason}
		i, known := targets[kind]
		if !known {
			i = len(r.To)
			targets[kind], r.To = i, append(r.To, kind)
		}
		r.To[i].Letters++
	}
	causes := map[string]int{}
	for _, refusal := range replay.Refused {
		why := refusal.Why.Error()
		i, known := causes[why]
		if !known {
			i = len(r.Refused)
			causes[why], r.Refused = i, append(r.Refused, replayRefused{Why: why})
		}
		r.Refused[i].Letters = append(r.Refused[i].Letters, refusal.Letter.ID())
	}
	return r
}

func writeReplay(w io.Writer, r *replayReport) error {
	switch {
	case r.Selected == 0:
		fmt.Fprintln(w, "There are no such dead letters.")
	case r.DryRun:
		fmt.Fprintf(w, "%d of %d dead letters would be sent again.\n", r.Sendable, r.Selected)
	default:
		fmt.Fprintf(w, "%d of %d dead letters are sent again.\n", r.Sent, r.Selected)
	}
	if err := writeTargets(w, r); err != nil {
		return err
	}
	for _, refused := range r.Refused {
		fmt.Fprintf(w, "\nNot sent: %s.\n  %s.\n", listed(refused.Letters), shown([]cell{plain(refused.Why)})[0].text)
	}
	if r.Sendable > 0 {
		fmt.Fprintf(w, "\n%s\n", doubles)
	}
	return tellForeign(w, r.Foreign)
}

func writeTargets(w io.Writer, r *replayReport) error {
	if len(r.To) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	t := newTable(w, "TO", "CODE", "LETTERS")
	for _, to := range r.To {
		t.add(plain(to.Topic), plain(to.Reason), number(strconv.Itoa(to.Letters)))
	}
	return t.write(w)
}

// listed are the first of some ids, and how many more there are.
func listed(ids []string) string {
	const most = 5
	if len(ids) > most {
		return strings.Join(ids[:most], ", ") + fmt.Sprintf(" and %d more", len(ids)-most)
	}
	return strings.Join(ids, ", ")
}

// errNotSent says that somebody was asked and did not say yes.
var errNotSent = errors.New("nothing was sent")

// confirmReplay tells what is to be sent and asks whether that is meant.
func confirmReplay(r *replayReport, q *questions) error {
	fmt.Fprintf(q.out, "%d of %d dead letters can be sent again.\n", r.Sendable, r.Selected)
	if err := writeTargets(q.out, r); err != nil {
		return err
	}
	fmt.Fprintf(q.out, "\n%s\n", doubles)
	if q.answer("Is what was wrong mended? Type yes to send them:", "") != "yes" {
		return errNotSent
	}
	return nil
}
