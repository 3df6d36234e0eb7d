//go:build slow

package connect

import (
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/rollup"
	"github.com/pqlstream/pqlstream/test/servers"
)

const (
	topic    = "pql.metrics"
	root     = "../../"
	worker   = root + "deployments/connect/worker.properties"
	sink     = root + "deployments/connect/metrics-postgres.properties"
	patience = 60 * time.Second // for rows to come through Kafka Connect
	poll     = 100 * time.Millisecond
)

// recipe is the whole of it, running.
type recipe struct {
	*testing.T
	kafka    *servers.Kafka
	postgres *servers.Postgres
	connect  *servers.Connect
	client   *kgo.Client
	document string // the recipe as it is documented
	want     map[string]rollup.Row
}

// newRecipe starts all but Kafka Connect.
func newRecipe(t *testing.T) *recipe {
	r := &recipe{T: t, want: map[string]rollup.Row{}, document: section(t)}
	r.postgres = servers.StartPostgres(t) // first, since it is what a machine is likeliest to lack
	r.kafka = servers.StartKafka(t)
	var err error
	r.client, err = kgo.NewClient(kgo.SeedBrokers(r.kafka.Bootstrap()), kgo.TransactionalID(t.Name()), kgo.DefaultProduceTopic(topic))
	require.NoError(t, err)
	t.Cleanup(r.client.Close)
	policy := map[string]*string{"cleanup.policy": kadm.StringPtr("compact")}
	_, err = kadm.NewClient(r.client).CreateTopic(t.Context(), 3, 1, policy, topic)
	require.NoError(t, err)
	_, err = r.postgres.SQL(t.Context(), "postgres", statements(r.document)[0]) // it makes the role and the database
	require.NoError(t, err)
	return r
}

// start starts Kafka Connect with the documented files, in a time zone that is not UTC.
func (r *recipe) start(settings map[string]string) {
	set := map[string]string{
		"connection.url": "jdbc:postgresql://" + r.postgres.Addr() + "/pql",
		// So long after its end a killed one still has the partitions.
		"consumer.override.session.timeout.ms": "6000",
	}
	maps.Copy(set, settings)
	r.connect = servers.StartConnect(r.T, servers.ConnectFiles{
		Worker:    worker,
		Sink:      sink,
		SetWorker: map[string]string{"bootstrap.servers": r.kafka.Bootstrap(), "offset.flush.interval.ms": "500"},
		SetSink:   set,
		Env:       []string{"PGPASSWORD=secret", "TZ=America/St_Johns"},
	})
}

// publish writes versions of rows, and wants them in the table.
func (r *recipe) publish(rows ...rollup.Row) {
	r.Helper()
	r.transact(kgo.TryCommit, r.records(codec.Connect, rows)...)
	for _, row := range rows {
		r.want[row.Key()] = row
	}
}

// remove writes tombstones of rows, and wants them in the table no more.
func (r *recipe) remove(rows ...rollup.Row) {
	r.Helper()
	tombstones := r.records(codec.Connect, rows)
	for i := range tombstones {
		tombstones[i].Value = nil
		delete(r.want, rows[i].Key())
	}
	r.transact(kgo.TryCommit, tombstones...)
}

func (r *recipe) records(format codec.Format, rows []rollup.Row) (all []*kgo.Record) {
	r.Helper()
	encoder, err := codec.NewMetricEncoder(format, 1)
	require.NoError(r, err)
	for i := range rows {
		all = append(all, &kgo.Record{Key: []byte(rows[i].Key()), Value: encoder.AppendRow(nil, &rows[i])})
	}
	return all
}

// transact writes records in one transaction, as pqlstream does.
func (r *recipe) transact(end kgo.TransactionEndTry, records ...*kgo.Record) {
	r.Helper()
	require.NoError(r, r.client.BeginTransaction())
	for _, record := range records {
		r.client.Produce(r.Context(), record, func(_ *kgo.Record, err error) { assert.NoError(r, err) })
	}
	require.NoError(r, r.client.Flush(r.Context()))
	require.NoError(r, r.client.EndTransaction(r.Context(), end))
}

// arrives waits until the table holds the rows that are wanted, and no others.
func (r *recipe) arrives(what string) {
	r.Helper()
	var got map[string]rollup.Row
	var err error
	deadline := time.Now().Add(patience)
	for tick := time.NewTicker(poll); time.Now().Before(deadline); <-tick.C {
		if got, err = r.table(r.Context()); err == nil && len(differing(r.want, got)) == 0 {
			return
		}
	}
	require.NoError(r, r.connect.Trouble(r.Context()), what)
	require.NoError(r, err, what)
	different := differing(r.want, got)
	for _, key := range different[:min(3, len(different))] {
		assert.Equal(r, r.want[key], got[key], "%s: %s", what, key)
	}
	r.FailNow()
}

// ends waits until the sink has ended and says why.
func (r *recipe) ends(why string) {
	r.Helper()
	require.EventuallyWithT(r, func(c *assert.CollectT) {
		err := r.connect.Trouble(r.Context())
		require.ErrorContains(c, err, "FAILED")
		require.ErrorContains(c, err, why)
	}, patience, poll)
}

// sql runs statements in the sink's database.
func (r *recipe) sql(statements string) string {
	r.Helper()
	out, err := r.postgres.SQL(r.Context(), "pql", statements)
	require.NoError(r, err, statements)
	return out
}

// section returns the recipe in the documentation.
func section(t *testing.T) string {
	b, err := os.ReadFile(root + "docs/metrics.md")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(b), "\n## Into PostgreSQL\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")
	return section
}

// statements returns the blocks of SQL in the recipe.
func statements(document string) (all []string) {
	blocks := strings.Split(document, "\n```")
	for i := 1; i < len(blocks); i += 2 { // between the fences
		if sql, ok := strings.CutPrefix(blocks[i], "sql\n"); ok {
			all = append(all, sql)
		}
	}
	return all
}
