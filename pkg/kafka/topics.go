package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/config"
)

// Topics creates and checks topics.
type Topics struct {
	admin       *kadm.Client
	replication int // 0: 3 on a cluster of three brokers or more, otherwise 1
}

// NewTopics returns the topics of a client's cluster. The client stays the caller's.
func NewTopics(client *kgo.Client, c config.Kafka) *Topics {
	return &Topics{admin: kadm.NewClient(client), replication: c.Replication}
}

// Plan returns the topics that a deployment needs on this cluster. Its sources have to exist; they are not ours to
// create.
func (t *Topics) Plan(ctx context.Context, c *config.Config) ([]Spec, error) {
	sources := make([]string, len(c.Input.Sources))
	for i := range c.Input.Sources {
		sources[i] = c.Input.Sources[i].Topic
	}
	names := c.TopicNames()
	found, err := t.admin.ListTopics(ctx, append(slices.Clone(sources), names.Usage, names.DeadLetters)...)
	if err != nil {
		return nil, fmt.Errorf("looking up the source topics: %w", err)
	}
	partitions := map[string]int32{}
	var missing []error
	for name, topic := range found {
		switch {
		case topic.Err == nil:
			partitions[name] = int32(len(topic.Partitions))
		case !errors.Is(topic.Err, kerr.UnknownTopicOrPartition):
			missing = append(missing, fmt.Errorf("topic %s: %w", name, topic.Err))
		case slices.Contains(sources, name):
			missing = append(missing, fmt.Errorf("source topic %s does not exist; whoever publishes to it has to create it, or input.sources names it wrongly", name))
		}
	}
	slices.SortFunc(missing, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	if len(missing) > 0 {
		return nil, errors.Join(missing...)
	}
	return Specs(c, partitions), nil
}

// Create creates the topics that don't exist, changes none that does, and returns the names of the new ones once brokers
// know all of them. It can be repeated, and run by several processes at once.
func (t *Topics) Create(ctx context.Context, specs []Spec) ([]string, error) {
	replicas, err := t.replicas(ctx)
	if err != nil {
		return nil, err
	}
	var created, all []string
	var failed []error
	for _, s := range specs {
		all = append(all, s.Name)
		answer, err := t.admin.CreateTopic(ctx, s.Partitions, int16(replicas), s.settings(replicas), s.Name)
		switch {
		case err == nil:
			created = append(created, s.Name)
		case !errors.Is(err, kerr.TopicAlreadyExists):
			failed = append(failed, fmt.Errorf("creating topic %s (%d partitions, %d replicas): %w", s.Name, s.Partitions, replicas, explained(err, answer.ErrMessage)))
		}
	}
	if len(failed) > 0 {
		return created, errors.Join(failed...)
	}
	return created, t.awaitVisible(ctx, all)
}

// explained adds what the broker said beside the error's code.
func explained(err error, message string) error {
	if message == "" {
		return err
	}
	return fmt.Errorf("%w (%s)", err, message)
}

// settings are a new topic's. With three replicas one broker may fail without a loss or a stop.
func (s *Spec) settings(replicas int) map[string]*string {
	all := map[string]*string{}
	for _, key := range slices.Sorted(maps.Keys(s.Configs)) {
		all[key] = kadm.StringPtr(s.Configs[key])
	}
	if replicas >= 3 {
		all["min.insync.replicas"] = kadm.StringPtr("2")
		all["unclean.leader.election.enable"] = kadm.StringPtr("false")
	}
	return all
}

func (t *Topics) replicas(ctx context.Context) (int, error) {
	if t.replication != 0 {
		return t.replication, nil
	}
	brokers, err := t.admin.ListBrokers(ctx)
	if err != nil {
		return 0, fmt.Errorf("counting the brokers: %w", err)
	}
	if len(brokers) >= 3 {
		return 3, nil
	}
	return 1, nil
}

// awaitVisible waits until metadata shows the topics: a broker confirms a creation, and refuses another process's second
// one, before all brokers have heard of it.
func (t *Topics) awaitVisible(ctx context.Context, names []string) error {
	retry := time.NewTicker(50 * time.Millisecond)
	defer retry.Stop()
	for {
		found, err := t.admin.ListTopics(ctx, names...)
		if err == nil && found.Error() == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for the new topics %s to appear: %w", strings.Join(names, ", "), ctx.Err())
		case <-retry.C:
		}
	}
}
