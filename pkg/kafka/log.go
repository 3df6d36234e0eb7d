package kafka

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// repeatAfter is how long a broker's warning is not told again. A client tries to connect several times a second, and a
// process has several clients.
const repeatAfter = 30 * time.Second

// logger passes what the client has to say, warnings and errors, to the process's log.
type logger struct {
	log *slog.Logger

	mu   sync.Mutex
	told map[about]telling
}

// about is what a warning is about: a kind of it, and a broker if it has one.
type about struct {
	msg  string
	addr any
}

type telling struct {
	at     time.Time
	untold int // since then
}

func (*logger) Level() kgo.LogLevel { return kgo.LogLevelWarn }

func (l *logger) Log(level kgo.LogLevel, msg string, keyvals ...any) {
	to := slog.LevelWarn
	if level == kgo.LogLevelError {
		to = slog.LevelError
	}
	untold, tell := l.due(about{msg, addressIn(keyvals)})
	if !tell {
		return
	}
	args := append([]any{"component", "kafka-client"}, keyvals...)
	if untold > 0 {
		args = append(args, "repeated", untold)
	}
	l.log.Log(context.Background(), to, msg, args...)
}

// due says whether something is to be told now, and how often it was not since it was told.
func (l *logger) due(what about) (untold int, tell bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	last, before := l.told[what]
	if before && now.Sub(last.at) < repeatAfter {
		last.untold++
		l.told[what] = last
		return 0, false
	}
	if l.told == nil {
		l.told = map[about]telling{}
	}
	l.told[what] = telling{at: now}
	return last.untold, true
}

// addressIn finds the broker's address among what a warning tells; without one it is nil.
func addressIn(keyvals []any) any {
	for i := 0; i+1 < len(keyvals); i += 2 {
		if addr, isText := keyvals[i+1].(string); isText && keyvals[i] == "addr" {
			return addr
		}
	}
	return nil
}
