package demo

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/pqlstream/pqlstream/config/checklists"
	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/embedded"
	"github.com/pqlstream/pqlstream/pkg/rollup"
	"github.com/pqlstream/pqlstream/schemas"
)

// settings are those of a process on the embedded servers that runs all stages. It finds checklist and schemas in the work folder.
func (d *demo) settings(servers *embedded.Servers, work string) (*config.Config, error) {
	c := config.Default()
	text, err := checklistText()
	if err != nil {
		return nil, err
	}
	c.Checklist = filepath.Join(work, "demo.yaml")
	if err := os.WriteFile(c.Checklist, text, 0o600); err != nil {
		return nil, fmt.Errorf("writing the checklist: %w", err)
	}
	c.Registry.Directory = filepath.Join(work, "schemas")
	if err := schemas.Export(c.Registry.Directory); err != nil {
		return nil, err
	}
	c.Kafka.Brokers, c.Kafka.CreateTopics, c.Kafka.FetchMaxWait = servers.Brokers(), true, 20*time.Millisecond
	c.Redis.Addresses, c.Redis.Buckets = []string{servers.RedisAddr()}, 64
	c.Input.Sources = []config.Source{{Topic: topic, Format: config.Avro}}
	c.Stages = []config.Stage{config.Activation, config.Measure, config.Rollup}
	c.Runtime.CheckpointInterval = 100 * time.Millisecond // leads are shown as far as checkpoints have come
	c.Runtime.FutureTolerance = maxDays * 24 * time.Hour  // an epoch may be any day
	c.Runtime.Replay = d.data.past                        // otherwise time would pass to today
	c.Metrics.Enabled = true
	c.Metrics.PaidDays = []int{7, 30, 60}
	c.Metrics.NorthStar = config.NorthStar{
		Metric: rollup.MetricPQLRate, Detail: "30d", Unit: string(rollup.Month), Field: "rate", Low: "0.15", High: "0.4",
	}
	c.HTTP.Address, c.API.Address = "127.0.0.1:0", ""
	if d.Live {
		c.API.Address = "127.0.0.1:0"
	}
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if d.Settings != nil {
		d.Settings(c)
	}
	return c, nil
}

// checklistText is the sample data's checklist. In a product that is used now, accounts fall silent: the demo lets them.
func checklistText() ([]byte, error) {
	before, after := []byte("inactivity: {days: 0}"), []byte("inactivity: {days: 14}")
	if bytes.Count(checklists.Demo, before) != 1 {
		return nil, errors.New("config/checklists/demo.yaml does not switch inactivity off any more")
	}
	text := bytes.Replace(checklists.Demo, before, after, 1)
	line := bytes.Index(text, after) + len(after)
	end := line + bytes.IndexByte(text[line:], '\n')
	return append(text[:line:line], text[end:]...), nil // without its comment, which says why it is off
}
