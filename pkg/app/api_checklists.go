package app

import (
	"context"
	"fmt"
	"time"

	"github.com/pqlstream/pqlstream/pkg/api"
	"github.com/pqlstream/pqlstream/pkg/checklist"
)

// Current implements api.Checklists.
func (s *apiService) Current() (string, *checklist.Checklist, error) {
	d := s.definition.Load()
	if err := s.unread.Load(); err != nil {
		return "", nil, fmt.Errorf("%w: this process has no checklist: %w", api.ErrUnavailable, *err)
	}
	if d == nil {
		return "", nil, fmt.Errorf("%w: the process is starting", api.ErrUnavailable)
	}
	return d.text, d.rules, nil
}

// Versions implements api.Checklists.
func (s *apiService) Versions(ctx context.Context) ([]api.ChecklistVersion, error) {
	client := s.client.Load()
	if client == nil {
		return nil, fmt.Errorf("%w: the process waits for Kafka", api.ErrUnavailable)
	}
	all, err := s.versions.get(ctx, func(ctx context.Context) ([]api.ChecklistVersion, error) {
		return readChecklists(ctx, client, s.app.c.TopicNames().Checklists)
	})
	if err != nil && outOfReach(err) {
		err = fmt.Errorf("%w: Kafka does not answer: %w", api.ErrUnavailable, err)
	}
	return all, err
}

// versionsFor is how long the versions that were read are told: each reading is of a whole topic.
const versionsFor = 2 * time.Second

// keptVersions are the versions of checklists as they were read last. One request reads at a time, others wait for what it finds.
type keptVersions struct {
	turn chan struct{} // holds one while nobody reads; who has taken it owns what is below
	all  []api.ChecklistVersion
	read time.Time // zero: nothing has been read
}

func newKeptVersions() *keptVersions {
	k := &keptVersions{turn: make(chan struct{}, 1)}
	k.turn <- struct{}{}
	return k
}

// get returns what was read within versionsFor, else it reads.
func (k *keptVersions) get(ctx context.Context, read func(context.Context) ([]api.ChecklistVersion, error)) ([]api.ChecklistVersion, error) {
	select {
	case <-k.turn:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { k.turn <- struct{}{} }()
	if !k.read.IsZero() && time.Since(k.read) < versionsFor {
		return k.all, nil
	}
	all, err := read(ctx)
	if err == nil {
		k.all, k.read = all, time.Now()
	}
	return all, err
}
