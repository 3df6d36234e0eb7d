package kafka

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/pqlstream/pqlstream/pkg/config"
)

func TestReadingsAreThoseOfTheSettings(t *testing.T) {
	c := config.Default()
	c.Input.Sources = []config.Source{{Topic: "usage"}}
	assert.Equal(t, []Reading{{config.Activation, "pql.activation", "usage"}}, Readings(c))

	c.Input.Sources = append(c.Input.Sources, config.Source{Topic: "clicks"})
	c.Groups.Activation = "leads"
	c.Input.Identity.UsersWithoutAccount = config.ResolveUsers
	c.Metrics.Enabled = true
	assert.Equal(t, []Reading{
		{config.Ingest, "pql.ingest", "usage"}, {config.Ingest, "pql.ingest", "clicks"}, {config.Resolve, "pql.resolve", "pql.unresolved"},
		{config.Activation, "leads", "pql.usage"}, {config.Measure, "pql.measure", "pql.facts"}, {config.Rollup, "pql.rollup", "pql.rollup"},
	}, Readings(c))
}

func TestLags(t *testing.T) {
	client := newCluster(t, 1, kfake.SeedTopics(3, "usage")).client(t, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for p, n := range map[int32]int{0: 5, 1: 2} {
		for range n {
			require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: "usage", Partition: p, Value: []byte("x")}).FirstErr())
		}
	}
	admin := kadm.NewClient(client)
	var at kadm.Offsets
	at.AddOffset("usage", 0, 3, -1)
	_, err := admin.CommitOffsets(t.Context(), "g", at)
	require.NoError(t, err)
	deleted := kadm.Offsets{}
	deleted.AddOffset("usage", 1, 1, -1)
	_, err = admin.DeleteRecords(t.Context(), deleted)
	require.NoError(t, err)

	r := Reading{config.Activation, "g", "usage"}
	lags, err := Lags(t.Context(), client, []Reading{r})
	require.NoError(t, err)
	assert.Equal(t, []Lag{
		{r, 0, 3, 5, 2},
		{r, 1, -1, 2, 1}, // of what was deleted nothing is left to read
		{r, 2, -1, 0, 0},
	}, lags)

	_, err = Lags(t.Context(), client, []Reading{{config.Activation, "g", "none"}})
	assert.ErrorContains(t, err, "asking where topics begin: ")
}

// A new cluster has no coordinators until somebody has asked for one.
func TestLagsWaitForACoordinator(t *testing.T) {
	cluster := newCluster(t, 1, kfake.SeedTopics(1, "usage"))
	refusals := 0
	cluster.ControlKey(int16(kmsg.OffsetFetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		if refusals++; refusals > 2 {
			return nil, nil, false
		}
		resp := req.ResponseKind().(*kmsg.OffsetFetchResponse)
		for _, g := range req.(*kmsg.OffsetFetchRequest).Groups {
			refused := kmsg.NewOffsetFetchResponseGroup()
			refused.Group, refused.ErrorCode = g.Group, kerr.CoordinatorNotAvailable.Code
			resp.Groups = append(resp.Groups, refused)
		}
		return resp, nil, true
	})
	r := Reading{config.Activation, "g", "usage"}
	lags, err := Lags(t.Context(), cluster.client(t), []Reading{r})
	require.NoError(t, err)
	assert.Equal(t, []Lag{{r, 0, -1, 0, 0}}, lags)
	assert.Greater(t, refusals, 2)
}
