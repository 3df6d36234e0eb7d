// Command goredis is the benchmark's job as one would write it by hand: the same client library, goavro, and one blob an
// account in Redis. It is at least once: what was folded since the last commit of offsets is folded again after a crash,
// and may be published again. It prints READY when it has its partitions and ends on SIGTERM.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"github.com/linkedin/goavro/v2"
	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/test/bench/job"
)

func main() {
	var o options
	flag.StringVar(&o.brokers, "brokers", "", "host:port of a broker")
	flag.StringVar(&o.redis, "redis", "", "host:port of Redis")
	flag.StringVar(&o.group, "group", "", "consumer group")
	flag.StringVar(&o.input, "input", "", "topic to read")
	flag.StringVar(&o.output, "output", "", "topic to write")
	flag.Parse()
	debug.SetGCPercent(200) // its heap is small: some memory for less CPU
	if err := run(o); err != nil {
		log.Fatal(err)
	}
}

type options struct{ brokers, redis, group, input, output string }

// batch is how many records a poll returns at most.
const batch = 10_000

func run(o options) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	codec, err := goavro.NewCodec(job.Schema)
	if err != nil {
		return err
	}
	store := redis.NewClient(&redis.Options{Addr: o.redis, ReadBufferSize: 256 << 10, WriteBufferSize: 256 << 10})
	defer store.Close()
	w := &workers{codec: codec, store: store, byPartition: map[int32]*worker{}}
	client, err := kgo.NewClient(
		kgo.SeedBrokers(o.brokers), kgo.ConsumerGroup(o.group), kgo.ConsumeTopics(o.input), kgo.DefaultProduceTopic(o.output),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.AutoCommitMarks(), kgo.AutoCommitInterval(100*time.Millisecond),
		kgo.BlockRebalanceOnPoll(), kgo.OnPartitionsAssigned(w.assigned), kgo.OnPartitionsRevoked(w.revoked), kgo.OnPartitionsLost(w.finish),
	)
	if err != nil {
		return err
	}
	defer client.CloseAllowingRebalance()
	for {
		fetches := client.PollRecords(ctx, batch)
		if ctx.Err() != nil {
			return nil
		}
		if err := fetches.Err(); err != nil {
			return err
		}
		fetches.EachPartition(func(p kgo.FetchTopicPartition) {
			if len(p.Records) > 0 {
				w.byPartition[p.Partition].batches <- p.Records
			}
		})
		client.AllowRebalance()
	}
}

// workers are one goroutine a partition. No rebalance runs while a poll is handed out, so the map needs no lock.
type workers struct {
	codec       *goavro.Codec
	store       *redis.Client
	byPartition map[int32]*worker
	ready       sync.Once
}

func (w *workers) assigned(_ context.Context, client *kgo.Client, topics map[string][]int32) {
	for _, partitions := range topics {
		for _, p := range partitions {
			one := &worker{client: client, store: w.store, codec: w.codec, batches: make(chan []*kgo.Record, 1), done: make(chan struct{})}
			w.byPartition[p] = one
			go one.run()
		}
	}
	w.ready.Do(func() { fmt.Println("READY") })
}

func (w *workers) revoked(ctx context.Context, client *kgo.Client, topics map[string][]int32) {
	w.finish(ctx, client, topics)
	if err := client.CommitMarkedOffsets(ctx); err != nil {
		log.Print("commit at revocation: ", err) // the next owner folds it again
	}
}

// finish waits until the partitions' workers are through with what they were given.
func (w *workers) finish(_ context.Context, _ *kgo.Client, topics map[string][]int32) {
	for _, partitions := range topics {
		for _, p := range partitions {
			close(w.byPartition[p].batches)
		}
		for _, p := range partitions {
			<-w.byPartition[p].done
			delete(w.byPartition, p)
		}
	}
}
