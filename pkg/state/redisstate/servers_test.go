package redisstate

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// startRedis starts a redis-server of the test's own and returns a client to it. It is stopped with the test.
func startRedis(t testing.TB, settings ...string) *redis.Client {
	t.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		const remedy = "redis-server is not on the PATH: install it (Debian: apt-get install redis-server)"
		if os.Getenv("CI") == "true" {
			t.Fatal(remedy)
		}
		t.Skip(remedy)
	}
	for range 5 {
		if c := tryRedis(t, program, settings); c != nil {
			return c
		}
	}
	t.Fatal("redis-server did not start on any of five free ports")
	return nil
}

// tryRedis returns nil when somebody else took the port meanwhile.
func tryRedis(t testing.TB, program string, settings []string) *redis.Client {
	t.Helper()
	port := freePort(t)
	args := []string{"--bind", "127.0.0.1", "--port", port, "--dir", t.TempDir(), "--save", "", "--appendonly", "no",
		"--loglevel", "warning", "--repl-diskless-sync-delay", "0"}
	command := exec.Command(program, append(args, settings...)...)
	require.NoError(t, command.Start())
	ended := make(chan struct{})
	go func() {
		_ = command.Wait() // it is killed: its exit code says nothing
		close(ended)
	}()
	t.Cleanup(func() {
		_ = command.Process.Kill() // it may have ended
		<-ended
	})
	c := redis.NewClient(options("127.0.0.1:" + port))
	t.Cleanup(func() { _ = c.Close() })
	own := fmt.Sprintf("process_id:%d\r", command.Process.Pid)
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		if info, err := c.Info(t.Context(), "server").Result(); err == nil {
			if strings.Contains(info, own) {
				return c
			}
			return nil
		}
		select {
		case <-ended:
			return nil
		case <-time.After(10 * time.Millisecond):
		}
	}
	return nil
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	return port
}

// startNode starts a node of a cluster that has no slots yet.
func startNode(t testing.TB) *redis.Client {
	t.Helper()
	return startRedis(t, "--cluster-enabled", "yes", "--cluster-port", freePort(t))
}

// startCluster starts a cluster of so many nodes, each with its share of the slots. (One that loses its last slot would
// become a replica.)
func startCluster(t testing.TB, n int) (*redis.ClusterClient, []*redis.Client) {
	t.Helper()
	ctx := t.Context()
	var nodes []*redis.Client
	for i := range n {
		nodes = append(nodes, startNode(t))
		require.NoError(t, nodes[i].ClusterAddSlotsRange(ctx, 16384*i/n, 16384*(i+1)/n-1).Err())
	}
	for _, node := range nodes[1:] {
		host, port, err := net.SplitHostPort(node.Options().Addr)
		require.NoError(t, err)
		bus := node.ConfigGet(ctx, "cluster-port").Val()["cluster-port"]
		require.NoError(t, nodes[0].Do(ctx, "CLUSTER", "MEET", host, port, bus).Err())
	}
	for _, node := range nodes {
		require.Eventually(t, func() bool {
			info := node.ClusterInfo(ctx).Val()
			return strings.Contains(info, "cluster_state:ok\r") && strings.Contains(info, fmt.Sprintf("cluster_known_nodes:%d\r", n)) &&
				strings.Contains(info, "cluster_slots_assigned:16384\r")
		}, 20*time.Second, 10*time.Millisecond)
	}
	c := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{nodes[0].Options().Addr}, ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = c.Close() })
	return c, nodes
}

func startMiniredis(t testing.TB) *redis.Client {
	t.Helper()
	c := redis.NewClient(options(miniredis.RunT(t).Addr()))
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func options(addr string) *redis.Options {
	return &redis.Options{Addr: addr, ContextTimeoutEnabled: true}
}
