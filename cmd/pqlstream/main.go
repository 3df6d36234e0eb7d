// Command pqlstream says when the accounts of a product qualify as leads, from what they do in it.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/redis/go-redis/v9"
)

func main() { os.Exit(untilSignalled()) }

// untilSignalled runs the command that the process was started with. The first SIGINT or SIGTERM ends its context, the
// second ends the process at once, which is as safe as any crash.
func untilSignalled() int {
	redis.SetLogger(silent{})
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return execute(ctx, os.Args[1:], os.Stdout, os.Stderr)
}

// silent keeps Redis's client from writing past our log what its errors say anyway.
type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}
