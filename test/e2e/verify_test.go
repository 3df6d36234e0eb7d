package e2e

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/kafka"
	"github.com/pqlstream/pqlstream/pkg/state"
	"github.com/pqlstream/pqlstream/pkg/state/redisstate"
	"github.com/pqlstream/pqlstream/pkg/stream"
	"github.com/pqlstream/pqlstream/test/oracle"
)

// verify compares everything that was published, and every state in Redis, with what the oracle makes of the input.
// The processes have to have committed everything and stopped.
func (w *world) verify() {
	w.t.Helper()
	w.flush()
	switch {
	case w.c.Direct():
		w.judge.Settle()
	case w.wholeLives():
		w.followed()
	default:
		w.carriedOver()
	}
	names := w.c.TopicNames()
	requireFacts(w.t, names.Lifecycle, w.judge.Facts, factsOf(w.t, w.readCommitted(names.Lifecycle)))
	requireFacts(w.t, names.Events, w.judge.Events(), factsOf(w.t, w.readCommitted(names.Events)))
	w.verifyCurrent()
	w.verifyLetters()
	w.verifyStates()
	if w.people != nil {
		w.verifyUsers()
	}
	if w.c.Metrics.Enabled {
		w.verifyRows()
	}
}

// carriedOver checks that ingest wrote each event that counts exactly once, to its account's partition and in the
// source partition's order, and has the oracle fold them in the order that they got there.
func (w *world) carriedOver() {
	w.t.Helper()
	seen := map[oracle.Position]bool{}
	type lane struct {
		topic    string
		from, to int32
	}
	newest := map[lane]int64{}
	w.judge.ThroughIngest()
	records := w.readCommitted(w.c.TopicNames().Usage)
	for _, r := range records {
		if len(r.Key) == 0 {
			continue
		}
		from := sourceOf(w.t, r)
		ev := w.events[from]
		require.NotNil(w.t, ev, "%v was never put there, or is a dead letter", from)
		require.False(w.t, seen[from], "%v was carried over twice", from)
		require.Equal(w.t, kafka.Partition([]byte(ev.AccountID), int32(w.c.Input.UsagePartitions)), r.Partition)
		at := lane{from.Topic, from.Partition, r.Partition}
		if last, known := newest[at]; known {
			require.Greater(w.t, from.Offset, last, "the order of %s-%d is lost", from.Topic, from.Partition)
		}
		newest[at] = from.Offset
		seen[from] = true
	}
	require.Len(w.t, seen, len(w.events), "not everything was carried over")
	for _, r := range records {
		if len(r.Key) == 0 {
			w.judge.Tell(r.Partition, markOf(w.t, r))
			continue
		}
		from := sourceOf(w.t, r)
		w.judge.Fold(oracle.Record{Event: w.events[from], Partition: r.Partition, Offset: r.Offset, Source: from, Until: watermarkOf(w.t, r)})
	}
}

// markOf reads what ingest says about time.
func markOf(t *testing.T, r *kgo.Record) oracle.Mark {
	var m struct {
		Topic     string `json:"topic"`
		Partition int32  `json:"partition"`
		Watermark int64  `json:"watermark"`
		Resting   bool   `json:"resting"`
		AsOf      int64  `json:"as_of"`
		Sources   []struct {
			Topic      string `json:"topic"`
			Partitions int    `json:"partitions"`
		} `json:"sources"`
	}
	require.NoError(t, json.Unmarshal(r.Value, &m))
	now := r.Timestamp.UnixMilli() // nobody is believed about the future
	mark := oracle.Mark{Topic: m.Topic, Partition: m.Partition, Watermark: min(m.Watermark, now), AsOf: min(m.AsOf, now), Resting: m.Resting, Sources: map[string]int{}}
	for _, s := range m.Sources {
		mark.Sources[s.Topic] = s.Partitions
	}
	return mark
}

// watermarkOf reads what time it was where a record that ingest wrote came from; 0: it does not say so.
func watermarkOf(t *testing.T, r *kgo.Record) int64 {
	for _, h := range r.Headers {
		if h.Key == "source-watermark" {
			ms, err := strconv.ParseInt(string(h.Value), 10, 64)
			require.NoError(t, err)
			return min(ms, r.Timestamp.UnixMilli())
		}
	}
	return 0
}

// sourceOf reads where a record that ingest wrote came from.
func sourceOf(t *testing.T, r *kgo.Record) (p oracle.Position) {
	for _, h := range r.Headers {
		if h.Key == "source-position" {
			parts := strings.Split(string(h.Value), ":")
			require.Len(t, parts, 3)
			n, err := strconv.ParseInt(parts[1], 10, 32)
			require.NoError(t, err)
			p.Topic, p.Partition = parts[0], int32(n)
			p.Offset, err = strconv.ParseInt(parts[2], 10, 64)
			require.NoError(t, err)
		}
	}
	return p
}

func factsOf(t *testing.T, records []*kgo.Record) (facts []oracle.Fact) {
	for _, r := range records {
		f, _, err := codec.DecodeFact(r.Value)
		require.NoError(t, err)
		require.Equal(t, f.AccountID, string(r.Key))
		facts = append(facts, plainFact(&f))
	}
	return facts
}

// verifyCurrent compares what a table that follows pql.current holds in the end.
func (w *world) verifyCurrent() {
	w.t.Helper()
	newest := map[string]*kgo.Record{}
	for _, r := range w.readCommitted(w.c.TopicNames().Current) {
		newest[string(r.Key)] = r
	}
	var table []*kgo.Record
	for _, r := range newest {
		if r.Value != nil {
			table = append(table, r)
		}
	}
	require.Len(w.t, table, len(w.judge.Current), "rows of pql.current")
	for _, f := range factsOf(w.t, table) {
		require.Equal(w.t, w.judge.Current[f.AccountID], f, "row of pql.current")
	}
}

func (w *world) verifyLetters() {
	w.t.Helper()
	got := map[oracle.Position]letter{}
	for _, r := range w.readCommitted(w.c.TopicNames().DeadLetters) {
		d, err := codec.DecodeDeadLetter(r.Value)
		require.NoError(w.t, err)
		at := oracle.Position{Topic: d.Topic, Partition: d.Partition, Offset: d.Offset}
		require.Empty(w.t, got[at], "two dead letters of %v", at)
		if d.Reason == withoutAccount {
			require.Equal(w.t, string(config.Resolve), d.Stage)
		} else {
			require.Equal(w.t, string(w.first()), d.Stage)
		}
		got[at] = letter{d.Reason, string(d.Value)}
	}
	for at, want := range w.letters {
		require.Equal(w.t, want, got[at], "the dead letter of %v", at)
	}
	require.Len(w.t, got, len(w.letters), "dead letters")
}

// verifyStates compares each account's state in Redis with the oracle's, and with the changelog's, which is the truth.
func (w *world) verifyStates() {
	w.t.Helper()
	partitions := w.partitions
	if !w.c.Direct() {
		partitions = int32(w.c.Input.UsagePartitions)
	}
	truth := w.states(config.Activation, w.c.ActivationInput(), w.c.TopicNames().ActivationChangelog, partitions)
	engine, accounts := newEngine(w.t, w.c.Checklist), w.judge.Accounts(0)
	require.Len(w.t, truth, len(accounts), "accounts in the changelog")
	for id, want := range accounts {
		s, err := engine.Load(id, truth[id])
		require.NoError(w.t, err)
		v := engine.View(s, 0)
		requireState(w.t, want, &v)
	}
}

// states returns the states of a stage as the changelog has them, which Redis has to have, too.
func (w *world) states(stage config.Stage, input, changelog string, partitions int32) map[string][]byte {
	w.t.Helper()
	client := redis.NewClient(&redis.Options{Addr: w.c.Redis.Addresses[0]})
	defer client.Close()
	store, err := redisstate.New(client, redisstate.Options{Prefix: w.c.Prefix, Buckets: w.c.Redis.Buckets})
	require.NoError(w.t, err)
	truth := map[string][]byte{}
	for _, r := range w.readCommitted(changelog) {
		if r.Key[0] != 0xff { // a commit record
			truth[string(r.Key)] = r.Value
		}
	}
	owners := map[int32]state.Partition{}
	for id := range truth {
		n := kafka.Partition([]byte(id), partitions)
		p, known := owners[n]
		if !known {
			p = w.mirror(client, stage, input, n)
			owners[n] = p
		}
		values, err := store.Get(w.t.Context(), p, id)
		require.NoError(w.t, err)
		require.Equal(w.t, truth[id], values[0], "Redis and the changelog differ about %q", id)
		_, truth[id], err = stream.Unwrap(values[0])
		require.NoError(w.t, err)
	}
	return truth
}

// mirror names a partition's mirror, taking its word for whose it is.
// mirrored says whether Redis holds all that activation, and resolve, have committed.
func (w *world) mirrored() bool {
	client := redis.NewClient(&redis.Options{Addr: w.c.Redis.Addresses[0]})
	defer client.Close()
	names := w.c.TopicNames()
	ok := w.mirrors(client, config.Activation, w.c.ActivationInput(), names.ActivationChangelog)
	return ok && (!w.c.ResolvesUsers() || w.mirrors(client, config.Resolve, names.Unresolved, names.ResolveChangelog))
}

func (w *world) mirrors(client *redis.Client, stage config.Stage, input, changelog string) bool {
	committed := map[int32]int64{}
	for _, r := range w.readCommitted(changelog) {
		committed[r.Partition] = max(committed[r.Partition], r.Offset+1)
	}
	for n, want := range committed {
		position, err := client.HGet(w.t.Context(), w.meta(stage, input, n), "position").Int64()
		if err != nil || position < want {
			return false
		}
	}
	return true
}

func (w *world) meta(stage config.Stage, input string, n int32) string {
	return fmt.Sprintf("{%s:%s:%s:%d}:meta", w.c.Prefix, stage, input, n)
}

func (w *world) mirror(client *redis.Client, stage config.Stage, input string, n int32) state.Partition {
	p := state.Partition{Stage: string(stage), Topic: input, Number: n}
	var err error
	p.Identity, err = client.HGet(w.t.Context(), w.meta(stage, input, n), "identity").Result()
	require.NoError(w.t, err, "the mirror of partition %d", n)
	return p
}
