package app

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/api"
	"github.com/pqlstream/pqlstream/pkg/checklist"
	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/stream"
)

// LoadChecklist reads and compiles a checklist's file.
func LoadChecklist(path string) (*checklist.Checklist, error) {
	d, err := loadDefinition(path)
	if err != nil {
		return nil, err
	}
	return d.rules, nil
}

// definition is a checklist, as written and compiled.
type definition struct {
	text  string
	rules *checklist.Checklist
}

func loadDefinition(path string) (*definition, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, &config.Unreadable{Err: fmt.Errorf("reading the checklist: %w", err)}
	}
	written, err := checklist.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("checklist %s:\n%w", path, err)
	}
	rules, err := checklist.Compile(written)
	if err != nil {
		return nil, fmt.Errorf("checklist %s:\n%w", path, err)
	}
	return &definition{string(text), rules}, nil
}

// decided is what the topic of checklists holds of one, by its hash.
type decided struct {
	Name       string `json:"name"`
	Version    int    `json:"version"`
	Hash       string `json:"hash"`
	Since      int64  `json:"since"` // ms since the Unix epoch
	Definition string `json:"definition"`
}

// readChecklists returns the checklists that have decided, the newest first.
func readChecklists(ctx context.Context, client *kgo.Client, topic string) ([]api.ChecklistVersion, error) {
	var all []api.ChecklistVersion
	err := stream.ReadTopic(ctx, client, topic, func(r *kgo.Record) error {
		var d decided
		if err := json.Unmarshal(r.Value, &d); err != nil {
			return fmt.Errorf("this is no checklist: %w", err)
		}
		if !slices.ContainsFunc(all, func(v api.ChecklistVersion) bool { return v.Hash == d.Hash }) {
			all = append(all, api.ChecklistVersion{Name: d.Name, Version: d.Version, Hash: d.Hash, Since: d.Since, Text: d.Definition})
		}
		return nil
	})
	slices.SortStableFunc(all, func(a, b api.ChecklistVersion) int { return int(b.Since - a.Since) })
	return all, err
}

// publishChecklist sees to it that the topic of checklists has the one that decides from now on. Nothing waits for it.
func (a *App) publishChecklist(ctx context.Context, d *definition) {
	topic := a.c.TopicNames().Checklists
	for wait := firstWait; ; wait = min(2*wait, longestOne) {
		attempt, cancel := context.WithTimeout(ctx, tryTimeout)
		err := publishChecklist(attempt, a.client, topic, d)
		cancel()
		if err == nil || ctx.Err() != nil {
			return
		}
		a.log.Warn("the checklist is not among those that are told to have decided yet", "topic", topic, "error", err)
		pauseFor(ctx, wait)
	}
}

func publishChecklist(ctx context.Context, client *kgo.Client, topic string, d *definition) error {
	there, err := readChecklists(ctx, client, topic)
	if err != nil {
		return err
	}
	hash := d.rules.Hash()
	if slices.ContainsFunc(there, func(v api.ChecklistVersion) bool { return v.Hash == hash }) {
		return nil
	}
	value, err := json.Marshal(decided{d.rules.Name(), d.rules.Version(), hash, now(), d.text})
	if err != nil {
		return err
	}
	return client.ProduceSync(ctx, &kgo.Record{Topic: topic, Key: []byte(hash), Value: value}).FirstErr()
}
