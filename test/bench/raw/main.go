// Command raw is the limit of the benchmark's job: the client library reads the topic once and each event is decoded by
// hand. It has no group, no state and no output. It prints READY before the first poll and DONE after the last event, and
// then waits for SIGTERM, so that what it has used can still be seen.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

func main() {
	brokers := flag.String("brokers", "", "host:port of a broker")
	topic := flag.String("topic", "", "topic to read")
	flag.Parse()
	if err := run(*brokers, *topic); err != nil {
		log.Fatal(err)
	}
}

func run(brokers, topic string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		return err
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(ctx, topic)
	if err != nil {
		return err
	}
	left := int64(0)
	ends.Each(func(o kadm.ListedOffset) { left += o.Offset })

	work := make(chan []*kgo.Record, 64) // a partition's part of a poll, for whichever core is free
	var decoding sync.WaitGroup
	var sum atomic.Uint64
	for range runtime.GOMAXPROCS(0) {
		decoding.Go(func() { sum.Add(decodeAll(work)) })
	}
	fmt.Println("READY")
	for left > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return err
		}
		fetches.EachPartition(func(p kgo.FetchTopicPartition) {
			left -= int64(len(p.Records))
			work <- p.Records
		})
	}
	close(work)
	decoding.Wait()
	fmt.Printf("DONE %x\n", sum.Load())
	<-ctx.Done()
	return nil
}

// decodeAll returns a sum over all fields, so that none can be left out.
func decodeAll(work <-chan []*kgo.Record) (sum uint64) {
	var e event
	for records := range work {
		for _, r := range records {
			if err := e.decode(r.Value); err != nil {
				log.Fatalf("%s-%d@%d: %v", r.Topic, r.Partition, r.Offset, err)
			}
			sum += e.sum()
		}
	}
	return sum
}
