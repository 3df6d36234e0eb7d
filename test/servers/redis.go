package servers

import (
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Redis is a Redis server of the test's own, in memory only: it comes back empty from Kill and Restart.
type Redis struct {
	*Process
	port int
}

// RedisOption changes how StartRedis starts the server.
type RedisOption func(args *[]string)

// RedisArgs adds arguments to the server's command line, such as "--maxmemory-policy", "allkeys-lru", or
// "--appendonly", "yes" for a server that keeps its data over a Restart.
func RedisArgs(args ...string) RedisOption {
	return func(all *[]string) { *all = append(*all, args...) }
}

// StartRedis starts a Redis server that never evicts and waits until it answers.
func StartRedis(tb testing.TB, opts ...RedisOption) *Redis {
	tb.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		lacking(tb, "Redis: there is no redis-server: install one (Debian: apt-get install redis-server; macOS: brew install redis)")
	}
	port, err := freePort()
	if err != nil {
		tb.Fatal(err)
	}
	args := []string{
		"--bind", "127.0.0.1", "--port", strconv.Itoa(port), "--dir", tb.TempDir(),
		"--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction",
	}
	for _, o := range opts {
		o(&args)
	}
	r := &Redis{Process: newProcess(tb, "redis-server", path, args...), port: port}
	r.up = r.answers
	if err := r.Restart(); err != nil {
		tb.Fatal(err)
	}
	return r
}

// Addr returns host and port.
func (r *Redis) Addr() string { return address(r.port) }

// FlushAll removes everything from the server.
func (r *Redis) FlushAll() error {
	ctx, cancel := context.WithTimeout(context.Background(), startPatience)
	defer cancel()
	c := r.client()
	defer c.Close()
	if err := c.FlushAll(ctx).Err(); err != nil {
		return fmt.Errorf("flushing Redis at %s: %w", r.Addr(), err)
	}
	return nil
}

func (r *Redis) answers(ctx context.Context) error {
	if err := owns(r.PID(), r.port); err != nil {
		return err
	}
	c := r.client()
	defer c.Close()
	return c.Ping(ctx).Err() // an error, too, while it loads a file
}

func (r *Redis) client() *redis.Client {
	return redis.NewClient(&redis.Options{
		Addr:                  r.Addr(),
		DialTimeout:           time.Second,
		DialerRetries:         1,
		MaxRetries:            -1,
		ContextTimeoutEnabled: true,
	})
}
