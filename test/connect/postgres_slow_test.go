//go:build slow

package connect

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/rollup"
	"github.com/pqlstream/pqlstream/test/servers"
)

// The table becomes what the topic is: with corrections, tombstones and aborted transactions, over restarts of all that takes part.
func TestTableIsAsTheTopic(t *testing.T) {
	r := newRecipe(t)
	// What comes in one batch while the sink catches up: several versions of each row, and tombstones between them. The first is of
	// a row that never was.
	first := rows(1)
	r.remove(row("pqls", "never", 0))
	r.publish(first...)
	r.remove(first[:10]...)
	r.publish(rows(2)[5:]...)
	r.remove(first[7:9]...)
	r.start(nil)
	r.arrives("from the beginning of the topic")
	r.requireTypes()

	r.transact(kgo.TryAbort, r.records(codec.Connect, rows(3))...)
	r.publish(rows(4)[:len(first)/2]...)
	r.arrives("corrections, and an aborted transaction")
	r.remove(first[:5]...)
	r.arrives("tombstones")

	require.NoError(t, r.postgres.Stop())
	r.publish(rows(5)...)
	require.Eventually(t, func() bool { return strings.Contains(r.connect.Output(), "Retry 1/") }, patience, poll)
	require.NoError(t, r.postgres.Restart())
	r.arrives("after PostgreSQL was away")
	require.NoError(t, r.connect.Kill())
	r.publish(rows(6)[10:]...)
	require.NoError(t, r.connect.Restart())
	r.arrives("after a kill of Kafka Connect")

	r.runsWhatIsShown()
	r.takesLaterVersions()
}

// runsWhatIsShown runs all SQL of the documentation: what asks for rows finds some. Its commands bring and start what runs here.
func (r *recipe) runsWhatIsShown() {
	for _, statement := range statements(r.document)[1:] {
		out := r.sql(statement)
		if strings.HasPrefix(statement, "select") {
			assert.NotEmpty(r, out, statement)
		}
	}
	plugins, err := servers.ConnectPlugins()
	require.NoError(r, err)
	shown := regexp.MustCompile(`io\.debezium:(debezium-connector-jdbc):([^:]+):`).FindStringSubmatch(r.document)
	require.NotNil(r, shown)
	require.FileExists(r, filepath.Join(plugins, shown[1], shown[1]+"-"+shown[2]+".jar"))
	require.Contains(r, r.document, " "+strings.TrimPrefix(worker, root)+" "+strings.TrimPrefix(sink, root)+"\n")
}

// takesLaterVersions publishes a row as a later version might, with one column more, and one without it again.
func (r *recipe) takesLaterVersions() {
	later, now := row("pqls", "of a later version", 0), row("pqls", "of this version, again", 0)
	record := r.records(codec.Connect, []rollup.Row{later})[0]
	value := strings.Replace(string(record.Value), `"fields":[`, `"fields":[{"field":"added","type":"int64","optional":true},`, 1)
	record.Value = []byte(strings.Replace(value, `"payload":{`, `"payload":{"added":42,`, 1))
	r.transact(kgo.TryCommit, record)
	r.want[later.Key()] = later
	r.arrives("a row with one column more")
	r.publish(now)
	r.arrives("a row without it")
	require.Equal(r, "42|of a later version\n", r.sql("select added, detail from metrics where added is not null"))
}

// A sink that PostgreSQL refuses a row, or that meets a value in another format, ends and says why; and goes on as is documented.
func TestSinkThatHasEndedGoesOn(t *testing.T) {
	r := newRecipe(t)
	r.publish(rows(1)...)
	r.start(nil)
	r.arrives("from the beginning of the topic")
	r.sql("alter table metrics add constraint refused check (revision <> 2)")
	r.publish(rows(2)...)
	r.ends(`violates check constraint "refused"`)
	r.sql("alter table metrics drop constraint refused")
	require.NoError(t, r.connect.Resume(t.Context()))
	r.arrives("once PostgreSQL takes the rows")

	other := row("pqls", "in another format", 0)
	r.transact(kgo.TryCommit, append(r.records(codec.JSON, []rollup.Row{other}), r.records(codec.Avro, []rollup.Row{other})...)...)
	r.ends("DataException")
	require.NoError(t, r.connect.Stop())
	r.start(map[string]string{"errors.tolerance": "all"})
	r.publish(rows(3)...)
	r.arrives("behind what is skipped")
}

// requireTypes checks the types of the columns, which the documentation tells.
func (r *recipe) requireTypes() {
	got, want := map[string]string{}, map[string]string{"key": "text"}
	for line := range strings.Lines(r.sql("select column_name, data_type from information_schema.columns where table_name = 'metrics'")) {
		name, typ, _ := strings.Cut(strings.TrimSpace(line), "|")
		got[name] = typ
	}
	times := []string{"window_start", "window_end", "mature_at", "as_of"}
	for _, c := range rollup.Columns {
		switch c.Of(&rollup.Row{}).(type) {
		case *string:
			want[c.Name] = "text"
		case *bool:
			want[c.Name] = "boolean"
		case *int64, *rollup.Null[int64]:
			want[c.Name] = "bigint"
		case *rollup.Null[float64]:
			want[c.Name] = "double precision"
		case *[]byte:
			want[c.Name] = "bytea"
		}
		if slices.Contains(times, c.Name) {
			want[c.Name] = "timestamp without time zone"
		}
	}
	assert.Equal(r, want, got)
}
