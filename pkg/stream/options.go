package stream

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/state"
)

// Input is a topic that a stage reads and the topic that holds the truth about what it made of it. Both have the same
// number of partitions.
type Input struct {
	Topic     string
	Changelog string
}

// Options configure a Runtime. Zero values mean the defaults that are named; the others are required.
type Options struct {
	Stage  string  // name of the stage, such as activation
	Group  string  // consumer group
	Inputs []Input // at least one

	// NewProcessor makes the processor of one task, a new one each time that the task takes its partition over.
	NewProcessor func(topic string, partition int32) Processor
	// DeadLetter makes the record that preserves one that can't be processed.
	DeadLetter func(*kgo.Record, *Reject) (Output, error)
	// Store mirrors the states; nil for a stage whose processors route no record to an entity.
	Store state.Store
	// Client builds a Kafka client with options on top of how the cluster is reached.
	Client func(...kgo.Opt) (*kgo.Client, error)
	// GroupOptions are added to the group's client: protocol, static membership.
	GroupOptions []kgo.Opt
	// ConsumerProtocol says that GroupOptions ask for the protocol of KIP-848, where the broker assigns partitions.
	ConsumerProtocol bool
	// InstanceID is the static member's, as in GroupOptions; empty for a dynamic one.
	InstanceID string

	Definition  string // hash of what the processors are configured with, for the commit record
	Pinned      string // not empty: what was committed under another Definition is refused, and this is the remedy
	Told        bool   // a later stage: what time it is Marks say, not event times, nor the clock where nothing comes
	History     bool   // the input is history that is being published: the clock says nothing about it where nothing comes
	StartAtEnd  bool   // at the very first start, begin with new records instead of the oldest
	CacheStates int    // states in memory at most, over all tasks; 1,000,000
	CacheBytes  int    // memory that they take at most, estimated; 512 MiB
	MaxRecord   int    // bytes of a state's value at most; 900,000

	FetchMaxWait       time.Duration // for which a broker holds a fetch back that finds nothing; 250 ms
	Disorder           time.Duration // by which events may come out of order without being late; 0
	EmissionInterval   time.Duration // between commits that publish outputs; 5 ms
	CheckpointInterval time.Duration // between commits that move the offset; 1 s
	TransactionTimeout time.Duration // after which the broker aborts; 10 s
	ShutdownTimeout    time.Duration // for the last checkpoint and leaving the group; 8 s
	TombstoneRetention time.Duration // delete.retention.ms of the changelogs; 24 h

	Logger *slog.Logger // default: slog's
}

const (
	defaultCacheStates = 1_000_000
	defaultCacheBytes  = 512 << 20
	defaultMaxRecord   = 900_000
)

func (o *Options) setDefaults() error {
	var errs []error
	require := func(ok bool, what string) {
		if !ok {
			errs = append(errs, fmt.Errorf("stream options: %s is required", what))
		}
	}
	require(o.Stage != "", "Stage")
	require(o.Group != "", "Group")
	require(len(o.Inputs) > 0, "Inputs")
	require(o.NewProcessor != nil, "NewProcessor")
	require(o.DeadLetter != nil, "DeadLetter")
	require(o.Client != nil, "Client")
	orDefault(&o.CacheStates, defaultCacheStates)
	orDefault(&o.CacheBytes, defaultCacheBytes)
	orDefault(&o.MaxRecord, defaultMaxRecord)
	orDefault(&o.FetchMaxWait, 250*time.Millisecond)
	orDefault(&o.EmissionInterval, 5*time.Millisecond)
	orDefault(&o.CheckpointInterval, time.Second)
	orDefault(&o.TransactionTimeout, 10*time.Second)
	orDefault(&o.ShutdownTimeout, 8*time.Second)
	orDefault(&o.TombstoneRetention, 24*time.Hour)
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return errors.Join(errs...)
}

func orDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// patience is how long a takeover waits without progress: longer than any transaction can pend.
func (o *Options) patience() time.Duration { return o.TransactionTimeout + 10*time.Second }

// Refusal says that a partition can't be taken over without losing or doubling something. It ends the process.
type Refusal struct {
	What   string
	Remedy string
}

func (r *Refusal) Error() string { return r.What + ": " + r.Remedy }
