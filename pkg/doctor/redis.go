package doctor

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/kafka"
	"github.com/pqlstream/pqlstream/pkg/state"
	"github.com/pqlstream/pqlstream/pkg/state/redisstate"
)

// examineRedis has the mirror check Redis, and looks at what that leaves to operators.
func examineRedis(ctx context.Context, s *Subject) []Finding {
	const check = "redis.fit"
	var f findings
	if s.Redis == nil {
		f.skip(check, "the stages of these settings keep no states")
		return f
	}
	if err := s.Store.Check(ctx); err != nil {
		if refused, is := errors.AsType[*state.Refused](err); is {
			f.fail(check, refused.Reason, refused.Remedy)
		} else {
			f.fail(check, err.Error(), "check redis.addresses, redis.cluster, redis.tls and the password, and that Redis runs and can be reached from here")
			return f
		}
	}
	for _, w := range s.Store.Warnings() {
		f.sentence(check, Warning, w)
	}
	servers := &servers{}
	if err := servers.ask(ctx, s); err != nil {
		f.warn("redis.server", err.Error(), "")
		return f
	}
	if f == nil {
		f.ok(check, fmt.Sprintf("servers: %d, Redis %s, maxmemory-policy noeviction", len(servers.all), servers.version()))
	}
	f.persistence(servers)
	f.memory(servers, mirrored(ctx, s))
	f.redisClock(servers)
	return f
}

// servers is what each master has told.
type servers struct {
	mu  sync.Mutex
	all []server
}

type server struct {
	address string
	info    map[string]string
	ahead   time.Duration // of our clock
	within  time.Duration // how exact that is
}

func (all *servers) ask(ctx context.Context, s *Subject) error {
	one := func(ctx context.Context, c *redis.Client) error {
		info, err := redisstate.ReadInfo(ctx, c)
		if err != nil {
			return fmt.Errorf("%s: %w", c.Options().Addr, err)
		}
		asked := s.Now()
		at, err := c.Time(ctx).Result()
		if err != nil {
			return fmt.Errorf("%s: asking for the time: %w", c.Options().Addr, err)
		}
		took := s.Now().Sub(asked)
		all.mu.Lock()
		defer all.mu.Unlock()
		all.all = append(all.all, server{c.Options().Addr, info, at.Sub(asked.Add(took / 2)), took / 2})
		return nil
	}
	return redisstate.EachServer(ctx, s.Redis, one)
}

func (all *servers) version() string {
	if len(all.all) == 0 || all.all[0].info["redis_version"] == "" {
		return "of an unknown version"
	}
	return all.all[0].info["redis_version"]
}

// persistence looks for writing to disk that fails: Redis then refuses writes. What it keeps over a restart is its own affair, since
// the mirror is filled again from Kafka.
func (f *findings) persistence(all *servers) {
	const check = "redis.persistence"
	before, kept := len(*f), "kept on disk by snapshots only, if at all: after a restart the mirror is filled from Kafka, and not ready until then"
	for _, s := range all.all {
		if s.info["rdb_last_bgsave_status"] == "err" || s.info["aof_last_write_status"] == "err" {
			f.fail(check, "Redis at "+s.address+" could not write to its disk, and may refuse writes", "make room on its disk, and look into its log")
		}
		if s.info["loading"] == "1" {
			f.warn(check, "Redis at "+s.address+" is reading its data from disk", "wait until it has")
		}
		if s.info["aof_enabled"] == "1" {
			kept = "kept on disk by the append-only file"
		}
	}
	if len(*f) == before {
		f.ok(check, kept)
	}
}

// overhead is by how much more memory an entry takes in Redis than in a changelog at most: the key again, pointers, an index.
const overhead = 3

// mirrored is how many bytes the changelogs hold that the mirror is filled from, each partition's largest copy; -1: brokers don't tell.
func mirrored(ctx context.Context, s *Subject) int64 {
	topics, err := kafka.NewTopics(s.Kafka, s.Config.Kafka).Plan(ctx, s.Config)
	if err != nil {
		return -1
	}
	var changelogs kadm.TopicsSet
	for _, spec := range topics.Specs {
		if spec.Configs["delete.retention.ms"] != "" {
			for p := range spec.Partitions {
				changelogs.Add(spec.Name, p)
			}
		}
	}
	dirs, err := kadm.NewClient(s.Kafka).DescribeAllLogDirs(ctx, changelogs)
	if err != nil {
		return -1
	}
	type partition struct {
		topic  string
		number int32
	}
	largest := map[partition]int64{}
	dirs.Each(func(d kadm.DescribedLogDir) {
		d.Topics.Each(func(p kadm.DescribedLogDirPartition) {
			at := partition{p.Topic, p.Partition}
			largest[at] = max(largest[at], p.Size)
		})
	})
	total := int64(0)
	for _, size := range largest {
		total += size
	}
	return total
}

// memory compares what Redis may take with what it takes, and with what filling the mirror would bring at most.
func (f *findings) memory(all *servers, changelogs int64) {
	const check = "redis.memory"
	used, limit := int64(0), int64(0)
	for _, s := range all.all {
		used += field(s.info, "used_memory")
		most := field(s.info, "maxmemory")
		if most == 0 {
			most = field(s.info, "total_system_memory")
		}
		limit += most
	}
	text := fmt.Sprintf("%s used", megabytes(used))
	if limit > 0 {
		text += " of " + megabytes(limit)
	}
	if changelogs >= 0 {
		text += fmt.Sprintf("; the changelogs hold %s, of which at most %s come to be in Redis", megabytes(changelogs), megabytes(overhead*changelogs))
	}
	switch {
	case limit > 0 && used > limit/10*9:
		f.fail(check, text, "give Redis more memory (maxmemory) before it refuses writes")
	case limit > 0 && (overhead*changelogs > limit || used > limit/4*3):
		f.warn(check, text, "give Redis more memory (maxmemory) in time: when it is full the stages stand still")
	default:
		f.ok(check, text)
	}
}

func field(info map[string]string, name string) int64 {
	n, err := strconv.ParseInt(info[name], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func megabytes(n int64) string { return config.Bytes(max(n, 1<<20) >> 20 << 20).String() }

func (f *findings) redisClock(all *servers) {
	const check = "clock.redis"
	before := len(*f)
	for _, s := range all.all {
		if s.ahead.Abs()-s.within > apart {
			f.fail(check, fmt.Sprintf("the clock of Redis at %s is %v off ours", s.address, s.ahead.Round(time.Second)), "have NTP set both clocks")
		}
	}
	if len(*f) == before {
		f.ok(check, "within "+apart.String()+" of ours")
	}
}
