package app

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/kafka"
)

// served starts a process with an API, and returns it with the address of that.
func served(t *testing.T, c *config.Config) (*process, string) {
	t.Helper()
	c.API.Address = "127.0.0.1:0"
	address := make(chan string, 1)
	p := start(t, c, OnServing(func(a string) { address <- a }), Version("v1.2.3"))
	return p, "http://" + <-address
}

// ask returns what the API answers, and its status.
func ask(t *testing.T, url string) (int, map[string]any) {
	t.Helper()
	response, err := http.Get(url)
	require.NoError(t, err)
	defer response.Body.Close()
	var v map[string]any
	require.NoError(t, json.NewDecoder(response.Body).Decode(&v))
	return response.StatusCode, v
}

// awaitAPI waits until the API answers well, and as is wanted.
func awaitAPI(t *testing.T, url string, wanted func(map[string]any) bool) map[string]any {
	t.Helper()
	var got map[string]any
	require.Eventually(t, func() bool {
		status, v := ask(t, url)
		got = v
		return status == http.StatusOK && wanted(v)
	}, patience, 4*poll, "%v", &got)
	return got
}

func items(n int) func(map[string]any) bool {
	return func(v map[string]any) bool { return len(v["items"].([]any)) == n }
}

func (w *world) use(account, event string, second int) {
	w.t.Helper()
	value := fmt.Sprintf(`{"account_id":%q,"event":%q,"user_id":"ana","occurred_at":"2025-06-02T10:00:%02dZ"}`, account, event, second)
	record := &kgo.Record{Topic: "usage", Partition: kafka.Partition([]byte(account), partitions), Key: []byte(account), Value: []byte(value)}
	require.NoError(w.t, w.plain.ProduceSync(w.t.Context(), record).FirstErr())
}

// events opens the stream of PQLs, once the process has looked its topic up.
func events(t *testing.T, api string) io.ReadCloser {
	t.Helper()
	for {
		r, err := http.Get(api + "/v1/pqls/events")
		require.NoError(t, err)
		if r.StatusCode != http.StatusServiceUnavailable {
			require.Equal(t, http.StatusOK, r.StatusCode)
			return r.Body
		}
		r.Body.Close()
	}
}

// A process that runs stages, and one that runs none, answer the same of every account.
func TestTheAPIAnswersForEveryAccount(t *testing.T) {
	w := newWorld(t).up()
	p, runs := served(t, w.settings())
	p.awaitReady()
	c := w.settings()
	c.Stages = nil
	idle, answers := served(t, c)
	idle.awaitReady()

	stream := events(t, answers)
	defer stream.Close()

	w.use("acme", "one", 1)
	w.use("acme", "two", 2)
	w.use("other", "one", 3)
	for _, api := range []string{runs, answers} {
		got := awaitAPI(t, api+"/v1/pqls", items(1))
		row := got["items"].([]any)[0].(map[string]any)
		require.Equal(t, "acme", row["account_id"])
		require.Equal(t, "call", row["playbook"].(map[string]any)["name"])
		awaitAPI(t, api+"/v1/accounts?limit=1", func(v map[string]any) bool { return v["next_cursor"] != nil && v["total"] == 2.0 })
		_, account := ask(t, api+"/v1/accounts/acme")
		require.Equal(t, true, account["current"])
		status, problem := ask(t, api+"/v1/accounts/nobody")
		require.Equal(t, http.StatusNotFound, status, problem)
		require.Equal(t, "urn:pqlstream:problem:no-such-account", problem["type"])
	}
	lines := bufio.NewScanner(stream)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "data: ") {
	}
	require.Contains(t, lines.Text(), `"type":"qualified","account_id":"acme"`)

	_, status := ask(t, runs+"/v1/status")
	require.Equal(t, true, status["ready"])
	require.Equal(t, "v1.2.3", status["version"])
	stage := status["stages"].([]any)[0].(map[string]any)
	require.Equal(t, "activation", stage["stage"])
	require.Len(t, stage["tasks"], partitions)
	awaitAPI(t, runs+"/v1/status", func(v map[string]any) bool {
		for _, task := range v["stages"].([]any)[0].(map[string]any)["tasks"].([]any) {
			if task.(map[string]any)["watermark"] != nil {
				return true
			}
		}
		return false
	})
	_, status = ask(t, answers+"/v1/status")
	require.Empty(t, status["stages"])
	_, problem := ask(t, answers+"/v1/metrics")
	require.Contains(t, problem["detail"], "metrics.enabled")
	page, err := http.Get(answers)
	require.NoError(t, err)
	page.Body.Close()
	require.Equal(t, http.StatusOK, page.StatusCode)

	p.stop() // although somebody follows
	idle.stop()
	for lines.Scan() { // the stream ends
	}
	require.NoError(t, lines.Err())
}

// Who follows is told that there may be more than they have seen, and sees what comes in the partitions that were added.
func TestTheAPIFollowsPartitionsThatAreAdded(t *testing.T) {
	w := newWorld(t).up()
	c := w.settings()
	c.Stages = nil
	p, served := served(t, c)
	p.awaitReady()
	stream := events(t, served)
	defer stream.Close()
	topic := c.TopicNames().Events
	_, err := w.admin().CreatePartitions(t.Context(), 1, topic)
	require.NoError(t, err)
	lines := bufio.NewScanner(stream)
	for lines.Scan() && lines.Text() != "event: gap" {
	}
	require.Equal(t, "event: gap", lines.Text())

	encoder, err := codec.NewFactEncoder(codec.JSON, 0)
	require.NoError(t, err)
	fact := account.Fact{ID: "1", Type: account.Qualified, AccountID: "acme", Cause: account.ByEvent}
	record := &kgo.Record{Topic: topic, Partition: partitions, Value: encoder.AppendFact(nil, &fact, codec.Detection{})}
	writer, err := kgo.NewClient(kgo.SeedBrokers(w.brokers()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.NoError(t, err)
	defer writer.Close()
	require.NoError(t, writer.ProduceSync(t.Context(), record).FirstErr())
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "data: {\"") {
	}
	require.Contains(t, lines.Text(), `"account_id":"acme"`)
	p.stop()
}

// Every definition that has decided is told of once, however often processes start.
func TestTheAPITellsWhichChecklistsHaveDecided(t *testing.T) {
	w := newWorld(t).up()
	c := w.settings()
	p, api := served(t, c)
	first := awaitAPI(t, api+"/v1/checklist/versions", items(1))["items"].([]any)[0].(map[string]any)
	_, current := ask(t, api+"/v1/checklist")
	require.Equal(t, first["hash"], current["hash"])
	require.Equal(t, rules, current["definition"])
	p.stop()

	p, _ = served(t, c)
	p.awaitReady()
	p.stop()
	c.Checklist = filepath.Join(t.TempDir(), "other.yaml")
	require.NoError(t, os.WriteFile(c.Checklist, []byte(strings.Replace(rules, "threshold: 1.0", "threshold: 0.5", 1)), 0o600))
	p, api = served(t, c)
	second := awaitAPI(t, api+"/v1/checklist/versions", items(2))["items"].([]any)[0].(map[string]any)
	_, diff := ask(t, fmt.Sprintf("%s/v1/checklist/diff?from=%s&to=%s", api, first["hash"], second["hash"]))
	require.Equal(t, []any{"tiers.all.threshold: 0.5, was 1"}, diff["changes"])
	require.Len(t, w.read("pql.checklists"), 2)
	p.stop()
}

// What is not there yet, or is away, is said; the API itself answers from the start on.
func TestTheAPISaysWhatIsAway(t *testing.T) {
	w := newWorld(t).up() // so that its topics are there once Kafka is
	w.kafkaDown()
	w.redisDown()
	p, api := served(t, w.settings())
	for path, what := range map[string]string{"/v1/pqls": "Kafka", "/v1/checklist/versions": "Kafka", "/v1/pqls/events": "events"} {
		status, problem := ask(t, api+path)
		require.Equal(t, http.StatusServiceUnavailable, status, problem)
		require.Contains(t, problem["detail"], what)
	}
	_, status := ask(t, api+"/v1/status")
	require.Equal(t, false, status["ready"])
	w.kafkaUp()
	w.redisUp()
	p.awaitReady()
	awaitAPI(t, api+"/v1/pqls", items(0))
	w.redisDown()
	status503, problem := ask(t, api+"/v1/pqls")
	require.Equal(t, http.StatusServiceUnavailable, status503, problem)
	require.Contains(t, problem["detail"], "Redis does not answer")
	w.redisUp()
	awaitAPI(t, api+"/v1/pqls", items(0))
	p.stop()
}

func TestTheAPIsTokenIsAskedFor(t *testing.T) {
	w := newWorld(t).up()
	c := w.settings()
	c.Stages, c.API.Token = nil, "0123456789abcdef"
	p, api := served(t, c)
	status, _ := ask(t, api+"/v1/status")
	require.Equal(t, http.StatusUnauthorized, status)
	p.awaitReady().stop()
	require.NotContains(t, p.log.String(), "0123456789abcdef")
}

// A process that only ingests is sent on its way by what only its API needs: the API says what is missing.
func TestIngestStartsWithoutWhatOnlyTheAPINeeds(t *testing.T) {
	for name, c := range map[string]struct {
		spoil   func(*config.Config)
		missing string
		paths   []string
	}{
		"checklist": {func(c *config.Config) { c.Checklist = "/nowhere/checklist.yaml" }, "/nowhere/checklist.yaml",
			[]string{"/v1/checklist", "/v1/pqls", "/v1/accounts/acme"}},
		"certificate": {func(c *config.Config) { c.Redis.TLS.Enabled, c.Redis.TLS.CAFile = true, "/nowhere/ca.pem" }, "/nowhere/ca.pem",
			[]string{"/v1/pqls", "/v1/accounts/acme"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t).up()
			settings := w.settings()
			settings.Stages = []config.Stage{config.Ingest}
			c.spoil(settings)
			p, api := served(t, settings)
			p.awaitReady()
			for _, path := range c.paths {
				require.Eventually(t, func() bool {
					status, problem := ask(t, api+path)
					require.Equal(t, http.StatusServiceUnavailable, status, problem)
					return strings.Contains(problem["detail"].(string), c.missing)
				}, patience, poll, path)
			}
			require.Contains(t, p.log.String(), "level=WARN")
			p.stop()

			settings = newWorld(t).up().settings()
			settings.Stages, settings.API.Address = nil, "127.0.0.1:0"
			c.spoil(settings)
			require.ErrorContains(t, refused(t, settings), c.missing, "a process that serves the API only is no good without")
		})
	}
}
