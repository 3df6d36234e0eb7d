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

// Plan is what a deployment needs on a cluster, and what there was of it when the plan was made.
type Plan struct {
	Specs []Spec

	replicas int               // that a topic should have
	found    kadm.TopicDetails // of the specs
}

// Partitions are the partition counts of the deployment's own topics, by name.
func (p *Plan) Partitions() map[string]int32 {
	counts := make(map[string]int32, len(p.Specs))
	for _, s := range p.Specs {
		counts[s.Name] = s.Partitions
	}
	return counts
}

// Complete says whether all topics were there when the plan was made.
func (p *Plan) Complete() bool {
	return !slices.ContainsFunc(p.Specs, func(s Spec) bool { return p.found[s.Name].Err != nil || len(p.found[s.Name].Partitions) == 0 })
}

func (p *Plan) names() []string {
	names := make([]string, len(p.Specs))
	for i, s := range p.Specs {
		names[i] = s.Name
	}
	return names
}

// Plan asks for all topics that a deployment needs on this cluster, in one request. Its sources have to exist; they are
// not ours to create.
func (t *Topics) Plan(ctx context.Context, c *config.Config) (*Plan, error) {
	sources := make([]string, len(c.Input.Sources))
	for i := range c.Input.Sources {
		sources[i] = c.Input.Sources[i].Topic
	}
	names := c.TopicNames()
	counted := append(slices.Clone(sources), names.Usage, names.Unresolved, names.Rollup, names.DeadLetters)
	own := (&Plan{Specs: Specs(c, nil)}).names() // what they are called depends on nothing that the cluster knows
	found, err := t.admin.Metadata(ctx, unique(append(own, counted...))...)
	if err != nil {
		return nil, fmt.Errorf("looking up the topics: %w", err)
	}
	partitions, err := count(found.Topics, counted, sources)
	if err != nil {
		return nil, err
	}
	return &Plan{Specs: Specs(c, partitions), replicas: t.replicas(found.Brokers), found: found.Topics}, nil
}

func unique(names []string) []string { return slices.Compact(slices.Sorted(slices.Values(names))) }

// count returns the partition counts of the topics of these names that exist.
func count(found kadm.TopicDetails, names, sources []string) (map[string]int32, error) {
	partitions := map[string]int32{}
	var missing []error
	for _, name := range unique(names) {
		topic := found[name]
		switch {
		case topic.Err == nil:
			partitions[name] = int32(len(topic.Partitions))
		case !errors.Is(topic.Err, kerr.UnknownTopicOrPartition):
			missing = append(missing, fmt.Errorf("topic %s: %w", name, topic.Err))
		case slices.Contains(sources, name):
			missing = append(missing, fmt.Errorf("source topic %s does not exist; whoever publishes to it has to create it, or input.sources names it wrongly", name))
		}
	}
	return partitions, errors.Join(missing...)
}

// Create creates the planned topics that don't exist, changes none that does, and returns the names of the new ones once
// brokers know all of them. It can be repeated, and run by several processes at once.
func (t *Topics) Create(ctx context.Context, p *Plan) ([]string, error) {
	var created []string
	var failed []error
	for _, s := range p.Specs {
		if topic, asked := p.found[s.Name]; asked && !errors.Is(topic.Err, kerr.UnknownTopicOrPartition) {
			continue
		}
		answer, err := t.admin.CreateTopic(ctx, s.Partitions, int16(p.replicas), s.settings(p.replicas), s.Name)
		switch {
		case err == nil:
			created = append(created, s.Name)
		case !errors.Is(err, kerr.TopicAlreadyExists):
			failed = append(failed, fmt.Errorf("creating topic %s (%d partitions, %d replicas): %w", s.Name, s.Partitions, p.replicas, explained(err, answer.ErrMessage)))
		}
	}
	if len(failed) > 0 {
		return created, errors.Join(failed...)
	}
	return created, t.awaitVisible(ctx, p)
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

// replicas is how many a topic should have on a cluster of these brokers.
func (t *Topics) replicas(brokers kadm.BrokerDetails) int {
	switch {
	case t.replication != 0:
		return t.replication
	case len(brokers) >= 3:
		return 3
	}
	return 1
}

// awaitVisible waits until metadata shows the planned topics: a broker confirms a creation, and refuses another process's
// second one, before all brokers have heard of it.
func (t *Topics) awaitVisible(ctx context.Context, p *Plan) error {
	retry := time.NewTicker(50 * time.Millisecond)
	defer retry.Stop()
	for !p.visible() {
		if found, err := t.admin.ListTopics(ctx, p.names()...); err == nil {
			if p.found = found; p.visible() {
				break
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for the new topics %s to appear: %w", strings.Join(p.names(), ", "), ctx.Err())
		case <-retry.C:
		}
	}
	return nil
}

// visible says whether all planned topics have been found.
func (p *Plan) visible() bool {
	return !slices.ContainsFunc(p.Specs, func(s Spec) bool {
		topic, asked := p.found[s.Name]
		return !asked || topic.Err != nil
	})
}
