package app

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/inspect"
	"github.com/pqlstream/pqlstream/pkg/kafka"
	"github.com/pqlstream/pqlstream/pkg/state/redisstate"
	"github.com/pqlstream/pqlstream/pkg/top"
)

// Monitor samples where a deployment stands: from Kafka, from Redis, and from what its processes tell on their listeners for metrics.
type Monitor struct {
	accounts *Accounts
	readings []kafka.Reading
	urls     []string
	http     http.Client
}

// latestPQLs is how many a sample has.
const latestPQLs = 20

// OpenMonitor connects to Kafka and Redis. urls are those of processes' metrics, such as http://127.0.0.1:9464/metrics. Close the result.
func OpenMonitor(ctx context.Context, c *config.Config, log *slog.Logger, urls []string) (*Monitor, error) {
	accounts, err := OpenAccounts(ctx, c, log)
	if err != nil {
		return nil, err
	}
	return &Monitor{accounts: accounts, readings: kafka.Readings(c), urls: urls}, nil
}

// Close ends the connections.
func (m *Monitor) Close() {
	m.accounts.Close()
	m.http.CloseIdleConnections()
}

// Sample asks all at once. What doesn't answer is missing from the sample, which says so.
func (m *Monitor) Sample(ctx context.Context, now time.Time) *top.Sample {
	s := &top.Sample{At: now, Processes: make([]top.Process, len(m.urls))}
	var asked errgroup.Group
	var mu sync.Mutex
	ask := func(what string, do func() error) {
		asked.Go(func() error {
			if err := do(); err != nil {
				mu.Lock()
				defer mu.Unlock()
				s.Missing = append(s.Missing, what+": "+err.Error())
			}
			return nil
		})
	}
	ask("Kafka", func() (err error) { s.Lags, err = kafka.Lags(ctx, m.accounts.kafka, m.readings); return err })
	ask("Redis", func() (err error) { s.Redis, err = redisSample(ctx, m.accounts.redis); return err })
	ask("PQLs", func() error {
		page, err := m.accounts.List(ctx, inspect.Query{List: inspect.PQLs, Limit: latestPQLs, At: now.UnixMilli()})
		s.PQLs, s.PQLsTotal = page.Items, page.Total
		return err
	})
	for i, url := range m.urls {
		s.Processes[i].URL = url
		ask(url, func() (err error) { s.Processes[i], err = m.process(ctx, url); return err })
	}
	_ = asked.Wait()
	return s
}

// redisSample adds up what the servers tell.
func redisSample(ctx context.Context, client redis.UniversalClient) (r top.Redis, err error) {
	var mu sync.Mutex
	err = redisstate.EachServer(ctx, client, func(ctx context.Context, c *redis.Client) error {
		info, err := redisstate.ReadInfo(ctx, c)
		if err != nil {
			return err
		}
		field := func(name string) int64 {
			n, _ := strconv.ParseInt(info[name], 10, 64) // what it does not tell is 0
			return n
		}
		mu.Lock()
		defer mu.Unlock()
		r.Servers++
		r.Used += field("used_memory")
		r.Limit += field("maxmemory")
		r.Clients += field("connected_clients")
		r.PerSecond += field("instantaneous_ops_per_sec")
		return nil
	})
	return r, err
}

// process reads a process's metrics.
func (m *Monitor) process(ctx context.Context, url string) (top.Process, error) {
	p := top.Process{URL: url}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return p, err
	}
	response, err := m.http.Do(request)
	if err != nil {
		return p, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return p, fmt.Errorf("%s", response.Status)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	metrics, err := parser.TextToMetricFamilies(response.Body)
	if err != nil {
		return p, fmt.Errorf("reading metrics: %w", err)
	}
	read(&p, metrics)
	return p, nil
}

// read takes what top shows out of a process's metrics.
func read(p *top.Process, metrics map[string]*dto.MetricFamily) {
	at := map[string]int{}
	each := func(name string, do func(*top.Stage, *dto.Metric)) {
		for _, m := range metrics["pqlstream_"+name].GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() != "stage" {
					continue
				}
				if _, known := at[l.GetValue()]; !known {
					at[l.GetValue()] = len(p.Stages)
					p.Stages = append(p.Stages, top.Stage{Name: l.GetValue()})
				}
				do(&p.Stages[at[l.GetValue()]], m)
			}
		}
	}
	each("partitions_owned", func(s *top.Stage, m *dto.Metric) { s.Owned = int(m.GetGauge().GetValue()) })
	each("partitions_waiting", func(s *top.Stage, m *dto.Metric) { s.Waiting = int(m.GetGauge().GetValue()) })
	each("mirror_backlog_commits", func(s *top.Stage, m *dto.Metric) { s.MirrorBacklog = int(m.GetGauge().GetValue()) })
	each("states_cached", func(s *top.Stage, m *dto.Metric) { s.Cached = int(m.GetGauge().GetValue()) })
	each("records_total", func(s *top.Stage, m *dto.Metric) { s.Records = m.GetCounter().GetValue() })
	each("commits_unconfirmed_total", func(s *top.Stage, m *dto.Metric) { s.Unconfirmed = m.GetCounter().GetValue() })
	each("rejected_total", func(s *top.Stage, m *dto.Metric) { s.DeadLetters = m.GetCounter().GetValue() })
	each("commit_seconds", func(s *top.Stage, m *dto.Metric) {
		s.Commits, s.CommitSeconds = float64(m.GetHistogram().GetSampleCount()), m.GetHistogram().GetSampleSum()
	})
	for _, m := range metrics["pqlstream_ready"].GetMetric() {
		p.Ready = m.GetGauge().GetValue() == 1
	}
}
