package redisstate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/pqlstream/pqlstream/pkg/state"
)

// oldest is the first major version whose scripts may write after asking for the time.
const oldest = 5

// Check implements state.Store: it refuses a Redis that may evict or that is too old. What a server does not let it find
// out becomes a warning, since the sentinels notice an eviction anyway.
func (s *Store) Check(ctx context.Context) error {
	var warnings []string
	check := func(ctx context.Context, c *redis.Client) error {
		warning, err := checkServer(ctx, c)
		if warning != "" {
			s.mu.Lock()
			warnings = append(warnings, warning)
			s.mu.Unlock()
		}
		return err
	}
	if err := EachServer(ctx, s.client, check); err != nil {
		return fmt.Errorf("checking Redis: %w", err)
	}
	slices.Sort(warnings)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.warnings = warnings
	return nil
}

// EachServer does something with the one server, or with every master of a cluster, with several of them at once. *state.Refused for a ring.
func EachServer(ctx context.Context, client redis.UniversalClient, do func(context.Context, *redis.Client) error) error {
	switch c := client.(type) {
	case *redis.ClusterClient:
		return c.ForEachMaster(ctx, do)
	case *redis.Client:
		return do(ctx, c)
	}
	return &state.Refused{Reason: "a ring of Redis servers has no slots", Remedy: "use one Redis, Sentinel or Redis Cluster"}
}

// Warnings returns what the newest Check that succeeded could not find out, for people to read.
func (s *Store) Warnings() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.warnings)
}

// checkServer returns a warning or an error.
func checkServer(ctx context.Context, c *redis.Client) (warning string, err error) {
	addr := c.Options().Addr
	info, err := ReadInfo(ctx, c)
	if err != nil {
		return "", fmt.Errorf("%s: %w", addr, err)
	}
	if version, ok := info["redis_version"]; ok {
		major, _, _ := strings.Cut(version, ".")
		if n, err := strconv.Atoi(major); err == nil && n < oldest {
			return "", &state.Refused{
				Reason: fmt.Sprintf("Redis %s at %s is too old", version, addr),
				Remedy: fmt.Sprintf("use Redis %d.0 or later", oldest),
			}
		}
	}
	policy, known := info["maxmemory_policy"]
	if !known {
		policy, known, err = configuredPolicy(ctx, c)
		if err != nil {
			return "", fmt.Errorf("%s: %w", addr, err)
		}
	}
	switch {
	case known && policy != "noeviction":
		return "", &state.Refused{
			Reason: fmt.Sprintf("Redis at %s may evict states: its maxmemory-policy is %s", addr, policy),
			Remedy: "set it to noeviction (CONFIG SET maxmemory-policy noeviction, and in its configuration)",
		}
	case known || embedded(info):
		return "", nil
	}
	return fmt.Sprintf("Redis at %s does not tell its maxmemory-policy: make sure that it is noeviction", addr), nil
}

// ReadInfo returns the fields that a server's INFO gives; none where it is forbidden.
func ReadInfo(ctx context.Context, c *redis.Client) (map[string]string, error) {
	text, err := c.Info(ctx).Result()
	if err != nil && !forbidden(err) {
		return nil, fmt.Errorf("reading INFO: %w", err)
	}
	fields := map[string]string{}
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			fields[key] = value
		}
	}
	return fields, nil
}

// configuredPolicy asks a server whose INFO doesn't tell.
func configuredPolicy(ctx context.Context, c *redis.Client) (policy string, known bool, err error) {
	settings, err := c.ConfigGet(ctx, "maxmemory-policy").Result()
	if err != nil && !forbidden(err) {
		return "", false, fmt.Errorf("reading maxmemory-policy: %w", err)
	}
	policy, known = settings["maxmemory-policy"]
	return policy, known, nil
}

// embedded recognizes miniredis, which never evicts: its INFO tells of clients, but of no server.
func embedded(info map[string]string) bool {
	_, clients := info["connected_clients"]
	_, server := info["redis_version"]
	return clients && !server
}

// forbidden says whether a server answered that it won't do that, rather than not answering.
func forbidden(err error) bool {
	var reply redis.Error
	return errors.As(err, &reply) &&
		(strings.HasPrefix(err.Error(), "NOPERM") || strings.HasPrefix(err.Error(), "ERR unknown command"))
}
