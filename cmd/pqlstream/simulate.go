package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/kafka"
	"github.com/pqlstream/pqlstream/pkg/simulate"
	"github.com/pqlstream/pqlstream/pkg/usage"
	"github.com/pqlstream/pqlstream/schemas"
)

// simulateFlags are the settings of `pqlstream simulate`.
type simulateFlags struct {
	config      string
	brokers     []string
	topic       string
	createTopic bool
	partitions  int32
	data        string
	seed        uint64
	accounts    int
	days        int
	epoch       string
	events      int
	rate        float64
	live        float64
	format      string
	registry    string
	output      output
}

// The kinds of data that simulate makes.
const (
	sampleData = "sample"
	randomData = "random"
)

func newSimulateCommand() *cobra.Command {
	var f simulateFlags
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "Put sample data or load onto a topic",
		Long: `Put usage events onto a topic, keyed by account.

The data is that of a believable SaaS product (--data sample), for which config/checklists/demo.yaml is written, or a
random stream that exercises every rule (--data random), from June 2025 on.

The sample data ends now. With --epoch it lies where it is told to, and the same seed and sizes give the same events. With --live
the product is used on after that, until the command is stopped: the same accounts and new ones, each event happening when it is
sent. On a topic that holds events already it is used on at once. Records are stamped with the time that they are sent at.`,
		Example: `  pqlstream simulate --brokers localhost:9092 --topic usage --create-topic
  pqlstream simulate --config pqlstream.yaml --accounts 2000 --days 180 --live 50
  pqlstream simulate --config pqlstream.yaml --topic load --create-topic --data random --events 500000 --accounts 20000 --rate 20000 --format json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.run(cmd)
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&f.config, "config", "c", "", "`file` with settings whose kafka section says where Kafka is and how to log in")
	flags.StringSliceVar(&f.brokers, "brokers", nil, "addresses of some of the brokers, in place of the configuration's")
	flags.StringVar(&f.topic, "topic", "usage", "topic to produce to")
	flags.BoolVar(&f.createTopic, "create-topic", false, "create the topic unless it exists")
	flags.Int32Var(&f.partitions, "partitions", 8, "partitions of a topic that is created")
	flags.StringVar(&f.data, "data", sampleData, "sample: a believable product; random: anything that may happen")
	flags.Uint64Var(&f.seed, "seed", 1, "seed of the data")
	flags.IntVar(&f.accounts, "accounts", 1000, "number of accounts")
	flags.IntVar(&f.days, "days", 60, "days that the sample data spans")
	flags.StringVar(&f.epoch, "epoch", "", "`day` that the sample data begins on, such as 2025-06-02 (default: --days ago, so that it ends now)")
	flags.IntVar(&f.events, "events", 0, "stop after so many events; 0: when the sample data ends (random: 100000)")
	flags.Float64Var(&f.rate, "rate", 0, "events a second; 0: as fast as possible")
	flags.Float64Var(&f.live, "live", 0, "events a second that happen now, once the sample data has ended; 0: none")
	flags.StringVar(&f.format, "format", string(codec.Avro), "avro (with a schema id) or json")
	flags.StringVar(&f.registry, "registry", "", "URL of the schema registry to register the schema with; "+
		"empty: Avro is written with pqlstream's own fixed schema id")
	f.output.addTo(cmd)
	complete(cmd, "data", func() []string { return []string{sampleData, randomData} })
	complete(cmd, "format", func() []string { return []string{string(codec.Avro), string(codec.JSON)} })
	return cmd
}

func (f *simulateFlags) run(cmd *cobra.Command) error {
	ctx := cmd.Context()
	data, err := f.source(time.Now())
	if err != nil {
		return err
	}
	encoder, err := f.encoder(ctx)
	if err != nil {
		return err
	}
	c, err := f.load()
	if err != nil {
		return err
	}
	log, err := quietLog(c, cmd)
	if err != nil {
		return err
	}
	client, err := kafka.NewClient(c.Kafka, log, kgo.MaxBufferedRecords(50_000))
	if err != nil {
		return err
	}
	defer client.Close()
	if err := f.prepareTopic(ctx, client); err != nil {
		return err
	}
	if data.live != nil {
		if data.past, err = f.missing(ctx, client, data.past); err != nil {
			return err
		}
	}
	begun, sending := time.Now(), progressOn(cmd.ErrOrStderr(), "events sent")
	made := 0
	n, err := f.send(ctx, client, data, func(to []byte, e *usage.Event) []byte {
		made++
		sending.at(made, f.events)
		return encoder.AppendUsage(to, e)
	})
	sending.end()
	if n == 0 {
		return err
	}
	took := time.Since(begun)
	return errors.Join(err, f.output.write(cmd.OutOrStdout(), sent{n, f.topic, took.Seconds()}, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%d events on %s in %v (%.0f a second)\n", n, f.topic, took.Round(time.Millisecond), float64(n)/took.Seconds())
		return err
	}))
}

// source is what goes onto the topic: what has happened, and what happens now.
type source struct{ past, live iter.Seq[*usage.Event] }

// send puts the past onto the topic, and then what happens now, and returns how many events that were. Whoever stops what is live is told of no
// error: it has no other end.
func (f *simulateFlags) send(ctx context.Context, client *kgo.Client, from source, encode func([]byte, *usage.Event) []byte) (int, error) {
	load := simulate.Load{Topic: f.topic, Rate: f.rate, Events: f.events, Append: encode}
	n, err := simulate.Run(ctx, client, from.past, load)
	if err != nil || from.live == nil || f.events != 0 && n == f.events {
		return n, err
	}
	load.Rate, load.Live = f.live, true
	load.Events = max(f.events-n, 0)
	more, err := simulate.Run(ctx, client, from.live, load)
	if ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
		err = nil
	}
	return n + more, err
}

// missing returns what has happened, unless the topic holds events: then it was told before, and would come late now.
func (f *simulateFlags) missing(ctx context.Context, client *kgo.Client, past iter.Seq[*usage.Event]) (iter.Seq[*usage.Event], error) {
	admin := kadm.NewClient(client)
	starts, err := admin.ListStartOffsets(ctx, f.topic)
	if err == nil {
		err = starts.Error()
	}
	ends, errEnds := admin.ListEndOffsets(ctx, f.topic)
	if err = errors.Join(err, errEnds, ends.Error()); err != nil {
		return nil, fmt.Errorf("looking at what topic %s holds: %w", f.topic, err)
	}
	ends.Each(func(end kadm.ListedOffset) {
		if start, ok := starts.Lookup(end.Topic, end.Partition); ok && start.Offset < end.Offset {
			past = func(func(*usage.Event) bool) {}
		}
	})
	return past, nil
}

// sent is what simulate tells programs.
type sent struct {
	Events  int     `json:"events"`
	Topic   string  `json:"topic"`
	Seconds float64 `json:"seconds"`
}

// load returns the settings, if there are any, with the brokers of the flags: they say where Kafka is and who the process is there.
func (f *simulateFlags) load() (*config.Config, error) {
	c := config.Default()
	if f.config != "" {
		var err error
		if c, err = config.Load(f.config, nil); err != nil {
			return nil, err
		}
	}
	if len(f.brokers) > 0 {
		c.Kafka.Brokers = f.brokers
	}
	if len(c.Kafka.Brokers) == 0 {
		return nil, misused("give --brokers or --config: it is not known where Kafka is")
	}
	return c, nil
}

// source returns the events that the flags ask for.
func (f *simulateFlags) source(now time.Time) (source, error) {
	if f.accounts < 1 || f.events < 0 || f.days < 1 || f.rate < 0 || f.live < 0 {
		return source{}, misused("--accounts and --days must be 1 or more, --events, --rate and --live 0 or more")
	}
	switch f.data {
	case sampleData:
		return f.sample(now)
	case randomData:
		if f.live > 0 {
			return source{}, misused("--live: only sample data goes on")
		}
		if f.events == 0 {
			f.events = 100_000
		}
		return source{past: simulate.Random(f.seed, f.events, f.accounts)}, nil
	}
	return source{}, misused("--data %s: it is %s or %s", f.data, sampleData, randomData)
}

func (f *simulateFlags) sample(now time.Time) (source, error) {
	o := simulate.Options{Seed: f.seed, Accounts: f.accounts, Days: f.days, End: now}
	if f.epoch != "" {
		if f.live > 0 {
			return source{}, misused("--live goes on from now, and --epoch has the data end before: give one of them")
		}
		var err error
		if o.Epoch, err = time.Parse(time.DateOnly, f.epoch); err != nil {
			return source{}, misused("--epoch %s: it is a day such as 2025-06-02", f.epoch)
		}
		if o.End = o.Epoch.AddDate(0, 0, f.days); o.End.After(now) {
			return source{}, misused("the data would end on %s, and events from the future become dead letters: "+
				"choose an earlier --epoch or fewer --days", o.End.Format(time.DateOnly))
		}
	}
	s, err := simulate.New(o)
	if err != nil {
		return source{}, fmt.Errorf("making sample data: %w", err)
	}
	made := source{past: s.Events()}
	if f.live > 0 {
		made.live = s.After()
	}
	return made, nil
}

// encoder returns the encoder of the format. With a registry, the schema is there afterwards.
func (f *simulateFlags) encoder(ctx context.Context) (*codec.EventEncoder, error) {
	format := codec.Format(f.format)
	if format != codec.Avro && format != codec.JSON {
		return nil, misused("--format %s: it is %s or %s", f.format, codec.Avro, codec.JSON)
	}
	id := schemas.UsageEvent.LocalID
	if f.registry != "" && format == codec.Avro {
		registry, err := sr.NewClient(sr.URLs(f.registry))
		if err != nil {
			return nil, fmt.Errorf("--registry %s: %w", f.registry, err)
		}
		ids, err := codec.Register(ctx, registry, []codec.Registration{{Topic: f.topic, Schema: schemas.UsageEvent}})
		if err != nil {
			return nil, err
		}
		id = ids[f.topic]
	}
	return codec.NewEventEncoder(format, id)
}

// prepareTopic creates the topic if asked to, and says what to do when it is missing.
func (f *simulateFlags) prepareTopic(ctx context.Context, client *kgo.Client) error {
	admin := kadm.NewClient(client)
	if f.createTopic {
		const brokersChoice = -1
		_, err := admin.CreateTopic(ctx, f.partitions, brokersChoice, nil, f.topic)
		if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			return fmt.Errorf("creating topic %s: %w", f.topic, err)
		}
		return nil
	}
	topics, err := admin.ListTopics(ctx, f.topic)
	if err != nil {
		return fmt.Errorf("looking for topic %s: %w", f.topic, err)
	}
	if !topics.Has(f.topic) {
		return fmt.Errorf("topic %s does not exist: create it, or let --create-topic do so", f.topic)
	}
	return nil
}
