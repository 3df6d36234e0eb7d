package main

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/pqlstream/pqlstream/pkg/app"
	"github.com/pqlstream/pqlstream/pkg/checklist"
	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/deadletter"
	"github.com/pqlstream/pqlstream/pkg/inspect"
	"github.com/pqlstream/pqlstream/pkg/kafka"
	"github.com/pqlstream/pqlstream/pkg/report"
	"github.com/pqlstream/pqlstream/pkg/scenario"
	"github.com/pqlstream/pqlstream/pkg/state"
	"github.com/pqlstream/pqlstream/pkg/stream"
)

// Exit codes; exitMeanings says what they mean.
const (
	exitDone = iota
	exitFailed
	exitMisused
	exitRefused
	exitNotFound
	exitNotReady
	exitUnreached
	exitUnseen
)

// exitMeanings are the exit codes in words, in their order; docs/cli.md has them.
var exitMeanings = []string{
	exitDone:      "It is done. `run` ends so after SIGTERM or SIGINT.",
	exitFailed:    "It failed, by none of what follows; or scenarios failed, or `doctor` found what has to be mended.",
	exitMisused:   "The command line is wrong: an unknown command or flag, a value that can't be.",
	exitRefused:   "Settings, a checklist or a scenario file, or a file that they name, can't be read or are not valid, or Kafka's topics or servers are not fit to be relied on. Trying again does not help.",
	exitNotFound:  "There is no such account, no such dead letter, or there are no metrics that were asked for.",
	exitNotReady:  "It can't be told yet: the mirror in Redis is being filled, or the process that `ready` asked waits for something. Try again in a moment.",
	exitUnreached: "Kafka, Redis or the schema registry was not reached in time, or the process that `ready` asked. Trying again may help.",
	exitUnseen:    "It was asked for, will be done, and was not seen done in time.",
}

// exitCode is what a command ends with after an error.
func exitCode(err error) int {
	switch {
	case err == nil:
		return exitDone
	case is[misuse](err):
		return exitMisused
	case is[config.Problems](err), is[*config.Unreadable](err), is[*checklist.Problem](err), is[*scenario.Problem](err), is[*unfitChecklists](err), is[*kafka.Unfit](err), is[*stream.Refusal](err), is[*state.Refused](err):
		return exitRefused
	case errors.Is(err, inspect.ErrNoAccount), errors.Is(err, app.ErrNoMetrics), errors.Is(err, report.ErrNothing),
		errors.Is(err, deadletter.ErrNone):
		return exitNotFound
	case errors.Is(err, inspect.ErrNotReady), errors.Is(err, errWaiting):
		return exitNotReady
	case is[*app.NotDone](err):
		return exitUnseen
	case unreached(err), errors.Is(err, context.DeadlineExceeded), errors.Is(err, codec.ErrUnavailable):
		return exitUnreached
	}
	return exitFailed
}

// unreached says whether somebody else was not reached, or went away. That we can't listen where we should is nobody else's.
func unreached(err error) bool {
	op, is := errors.AsType[*net.OpError](err)
	return is && (op.Op == "dial" || op.Op == "read" || op.Op == "write")
}

func is[T error](err error) bool {
	_, found := errors.AsType[T](err)
	return found
}

// misuse says what is wrong with a command line.
type misuse string

func (m misuse) Error() string { return string(m) }

func misused(format string, args ...any) error { return misuse(fmt.Sprintf(format, args...)) }
