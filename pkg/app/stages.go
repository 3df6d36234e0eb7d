package app

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
	"golang.org/x/sync/errgroup"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/kafka"
	"github.com/pqlstream/pqlstream/pkg/pipeline"
	"github.com/pqlstream/pqlstream/pkg/stream"
	"github.com/pqlstream/pqlstream/pkg/usage"
	"github.com/pqlstream/pqlstream/schemas"
)

// maxDeadLetter leaves room for key and headers in what a broker takes by default.
const maxDeadLetter = 900_000

// wiring is what the stages share.
type wiring struct {
	app   *App
	names config.Topics

	partitions map[string]int32 // of our own topics
	group      []kgo.Opt        // how their clients join groups

	consumerProtocol bool // it is by that of KIP-848

	source codec.SchemaSource
	own    codec.SchemaSource // of our own topics
	ids    map[string]int     // of our own topics' schemas
}

// build makes the stages that the process runs.
func (a *App) build(ctx context.Context, w *wiring) error {
	stages := make([]*stream.Runtime, len(a.c.Stages))
	group, ctx := errgroup.WithContext(ctx)
	for i, s := range a.c.Stages {
		group.Go(func() (err error) {
			if stages[i], err = w.stage(ctx, s); err != nil {
				return fmt.Errorf("stage %s: %w", s, err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	a.mu.Lock()
	a.stages = stages
	a.mu.Unlock()
	return nil
}

func (w *wiring) stage(ctx context.Context, s config.Stage) (r *stream.Runtime, err error) {
	options := map[config.Stage]func() (stream.Options, error){
		config.Ingest: w.ingest, config.Resolve: w.resolve, config.Activation: w.activation, config.Measure: w.measure, config.Rollup: w.rollup,
	}
	o, err := options[s]()
	if err != nil {
		return nil, err
	}
	w.app.trace(s, &o)
	err = w.app.await(ctx, "kafka", outOfReach, func(ctx context.Context) (err error) {
		r, err = stream.New(ctx, o)
		return err
	})
	return r, err
}

// registrations are the topics that the deployment writes in Avro, with their schemas.
func (w *wiring) registrations() (list []codec.Registration) {
	c := w.app.c
	if c.Output.Format == config.Avro {
		list = w.outputs()
	}
	if c.Metrics.Enabled && c.MetricsFormat() == config.Avro {
		list = append(list, codec.Registration{Topic: w.names.Metrics, Schema: schemas.MetricRow})
	}
	return list
}

// outputs are the topics that the deployment writes in the format of outputs, with their schemas.
func (w *wiring) outputs() []codec.Registration {
	c := w.app.c
	list := []codec.Registration{
		{Topic: w.names.Events, Schema: schemas.PQLEvent},
		{Topic: w.names.DeadLetters, Schema: schemas.DeadLetter},
	}
	if c.Output.Current {
		list = append(list, codec.Registration{Topic: w.names.Current, Schema: schemas.PQLEvent})
	}
	if c.Output.Lifecycle {
		list = append(list, codec.Registration{Topic: w.names.Lifecycle, Schema: schemas.PQLEvent})
	}
	if !c.Direct() {
		list = append(list, codec.Registration{Topic: w.names.Usage, Schema: schemas.UsageEvent})
	}
	if c.ResolvesUsers() {
		list = append(list, codec.Registration{Topic: w.names.Unresolved, Schema: schemas.UsageEvent})
	}
	return list
}

// openSchemas learns where schemas come from and the ids of ours: from a registry where there is one.
func (w *wiring) openSchemas(ctx context.Context) error {
	r, written := w.app.c.Registry, w.registrations()
	if r.URL == "" {
		w.source, w.own, w.ids = codec.SchemaDir(r.Directory), codec.LocalSchemas(), codec.LocalIDs(written)
		return nil
	}
	client, err := registryClient(r)
	if err != nil {
		return err
	}
	registry := codec.NewRegistry(client)
	w.source, w.own = registry, registry
	if len(written) == 0 {
		return nil
	}
	err = w.app.await(ctx, "registry", unavailable, func(ctx context.Context) (err error) {
		w.ids, err = codec.Register(ctx, client, written)
		return err
	})
	w.own = registered{written, w.ids, registry}
	return err
}

// registered are our own schemas: those that were registered now need not be asked for, others are of another version.
type registered struct {
	now    []codec.Registration
	ids    map[string]int
	others codec.SchemaSource
}

func (r registered) Schema(ctx context.Context, id int) (string, error) {
	for _, own := range r.now {
		if r.ids[own.Topic] == id {
			return own.Schema.Text, nil
		}
	}
	return r.others.Schema(ctx, id)
}

func registryClient(r config.Registry) (*sr.Client, error) {
	opts := []sr.ClientOpt{sr.URLs(r.URL), sr.HTTPClient(&http.Client{Timeout: 5 * time.Second})}
	if r.CAFile != "" {
		encryption, err := (&config.TLS{Enabled: true, CAFile: r.CAFile}).Load()
		if err != nil {
			return nil, fmt.Errorf("registry.ca_file: %w", err)
		}
		opts = append(opts, sr.DialTLSConfig(encryption))
	}
	if r.Username != "" {
		opts = append(opts, sr.BasicAuth(r.Username, r.Password.Reveal()))
	}
	client, err := sr.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	return client, nil
}

// options are what the stages' runtimes have in common.
func (w *wiring) options(s config.Stage) (stream.Options, error) {
	c := w.app.c
	dead, err := w.deadLetters(s)
	if err != nil {
		return stream.Options{}, err
	}
	return stream.Options{
		Stage:        string(s),
		Group:        c.Group(s),
		DeadLetter:   dead.Letter,
		Client:       func(extra ...kgo.Opt) (*kgo.Client, error) { return kafka.NewClient(c.Kafka, w.app.log, extra...) },
		GroupOptions: w.group,
		InstanceID:   c.Kafka.InstanceID,
		History:      c.Runtime.Replay,
		StartAtEnd:   c.Input.Start == config.Latest,
		CacheStates:  c.Runtime.CacheAccounts,
		CacheBytes:   int(w.cacheMemory(s)),

		ConsumerProtocol:   w.consumerProtocol,
		Disorder:           c.Runtime.AllowedDisorder,
		EmissionInterval:   c.Runtime.EmissionInterval,
		FetchMaxWait:       c.Kafka.FetchMaxWait,
		CheckpointInterval: c.Runtime.CheckpointInterval,
		TransactionTimeout: c.Runtime.TransactionTimeout,
		ShutdownTimeout:    c.Runtime.ShutdownTimeout * 8 / 10, // the rest is for closing connections
		TombstoneRetention: kafka.TombstoneRetention,
		Logger:             w.app.log,
	}, nil
}

// cacheShares are how the cache's memory is divided among the stages of one process that keep states.
var cacheShares = map[config.Stage]int{config.Activation: 3, config.Resolve: 1, config.Measure: 1, config.Rollup: 1}

// cacheMemory is the memory that a stage's states may take.
func (w *wiring) cacheMemory(s config.Stage) config.Bytes {
	c, all := w.app.c, 0
	for _, other := range c.Stages {
		all += cacheShares[other]
	}
	return c.Runtime.CacheMemory / config.Bytes(max(all, 1)) * config.Bytes(cacheShares[s])
}

func (w *wiring) deadLetters(s config.Stage) (*pipeline.DeadLetters, error) {
	topic := w.names.DeadLetters
	letters, err := codec.NewDeadLetterEncoder(w.format(), w.ids[topic], maxDeadLetter)
	return &pipeline.DeadLetters{
		Stage: string(s), Topic: topic, Partitions: w.partitions[topic], Encoder: letters, Now: now,
		Count: func(code string) { w.app.deadLetters.WithLabelValues(string(s), code).Inc() },
	}, err
}

func (w *wiring) topic(name string) pipeline.Topic {
	return pipeline.Topic{Name: name, Partitions: w.partitions[name]}
}

// sources are what ingest reads. Their changelogs have as many partitions.
func (w *wiring) sources() (list []stream.Source) {
	c := w.app.c
	for i := range c.Input.Sources {
		s := &c.Input.Sources[i]
		list = append(list, stream.Source{Topic: s.Topic, Partitions: w.partitions[c.IngestChangelog(s)]})
	}
	return list
}

func (w *wiring) format() codec.Format { return codec.Format(w.app.c.Output.Format) }

func now() int64 { return time.Now().UnixMilli() }

// activation is the stage that folds accounts.
func (w *wiring) activation() (stream.Options, error) {
	c := w.app.c
	var err error
	a := &pipeline.Activation{
		Engine:          account.NewEngine(w.app.definition.rules),
		Events:          w.names.Events,
		Escalations:     c.Output.Escalations,
		FutureTolerance: c.Runtime.FutureTolerance.Milliseconds(),
		Replay:          c.Runtime.Replay,
		Metrics:         w.metricFacts(),
		Now:             now,
	}
	if c.Output.Lifecycle {
		a.Lifecycle = w.names.Lifecycle
	}
	if c.Output.Current {
		a.Current = w.names.Current
	}
	if c.Direct() {
		a.Input, err = w.input(&c.Input.Sources[0])
		a.Partitions = w.partitions[w.names.ActivationChangelog]
	} else {
		a.Input, err = codec.NewInput(w.format(), usage.CanonicalMapping(), w.own)
		a.Usage, a.Retention = w.topic(w.names.Usage), kafka.UsageRetention.Milliseconds()
	}
	if err == nil {
		a.DeadLetters, err = w.deadLetters(config.Activation)
	}
	if err != nil {
		return stream.Options{}, err
	}
	if a.Facts, err = codec.NewFactEncoder(w.format(), w.ids[w.names.Events]); err != nil {
		return stream.Options{}, err
	}
	o, err := w.options(config.Activation)
	if err != nil {
		return o, err
	}
	o.Inputs = []stream.Input{{Topic: c.ActivationInput(), Changelog: w.names.ActivationChangelog}}
	// Our own usage topic is read from its start: what is in it ingest has begun where the settings say.
	o.StartAtEnd, o.Told = o.StartAtEnd && c.Direct(), !c.Direct()
	o.NewProcessor = a.Processor
	o.Definition = w.app.definition.rules.Hash()
	o.Store, err = newStore(w.app.redis, c, account.NewIndex(a.Engine).Lists()...)
	return o, err
}

// ingest is the stage that keys events by account.
func (w *wiring) ingest() (stream.Options, error) {
	c := w.app.c
	o, err := w.options(config.Ingest)
	if err != nil {
		return o, err
	}
	in := &pipeline.Ingest{
		Inputs:          map[string]pipeline.Input{},
		Usage:           w.topic(w.names.Usage),
		Sources:         w.sources(),
		Started:         now(),
		FutureTolerance: c.Runtime.FutureTolerance.Milliseconds(),
		Now:             now,
	}
	if in.Events, err = codec.NewEventEncoder(w.format(), w.ids[w.names.Usage]); err != nil {
		return o, err
	}
	for i := range c.Input.Sources {
		s := &c.Input.Sources[i]
		input, err := w.input(s)
		if err != nil {
			return o, err
		}
		in.Inputs[s.Topic] = pipeline.Input{Input: input, Event: s.Event, Keyed: s.Fields.Keyed()}
		o.Inputs = append(o.Inputs, stream.Input{Topic: s.Topic, Changelog: c.IngestChangelog(s)})
	}
	if c.ResolvesUsers() {
		in.Unresolved = w.topic(w.names.Unresolved)
	}
	requests := &c.Input.Identity
	in.Requests = pipeline.Requests{
		Merge: requests.Merge.Event, MergedFrom: requests.Merge.Property(),
		EraseAccount: requests.EraseAccount.Event, EraseUser: requests.EraseUser.Event,
	}
	o.NewProcessor = in.Processor
	return o, nil
}

// input is how a source's records are read.
func (w *wiring) input(s *config.Source) (*codec.Input, error) {
	f := s.Fields.WithDefaults()
	fields := map[string]string{
		usage.FieldEventID:    f.EventID,
		usage.FieldAccountID:  f.AccountID,
		usage.FieldUserID:     f.UserID,
		usage.FieldEvent:      f.Event,
		usage.FieldOccurredAt: f.OccurredAt,
		usage.FieldQuantity:   f.Quantity,
		usage.FieldSource:     f.Source,
		usage.FieldProperties: f.Properties,
	}
	for _, e := range f.ExtraProperties {
		fields[usage.PropertyField(e.Name)] = e.Path
	}
	var given []string
	if s.Event != "" {
		fields[usage.FieldEvent] = ""
		given = append(given, usage.FieldEvent, usage.FieldOccurredAt)
	}
	if s.Fields.Keyed() {
		fields[usage.FieldAccountID] = ""
		given = append(given, usage.FieldAccountID)
	}
	mapping, err := usage.ParseMapping(fields, given...)
	if err != nil {
		return nil, fmt.Errorf("source %s: %w", s.Topic, err)
	}
	return codec.NewInput(codec.Format(s.Encoding()), mapping, w.source)
}
