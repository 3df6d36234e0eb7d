package deadletter

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/kafka"
)

// deployment is what says where a letter's record can be sent to.
type deployment struct {
	c       *config.Config
	own     []string // topics that only pqlstream writes to
	to      string   // the one topic to send to; empty: where records came from
	targets map[string]target
}

// target is a topic that records are sent to.
type target struct {
	partitions int32
	unfit      error // why nothing can be sent there
}

func newDeployment(c *config.Config, to string) *deployment {
	d := &deployment{c: c, to: to, targets: map[string]target{}}
	names := reflect.ValueOf(c.TopicNames())
	for i := range names.NumField() {
		d.own = append(d.own, names.Field(i).String())
	}
	for i := range c.Input.Sources {
		d.own = append(d.own, c.IngestChangelog(&c.Input.Sources[i]))
	}
	return d
}

// target is where a letter's record goes.
func (d *deployment) target(l *Letter) string {
	if d.to != "" {
		return d.to
	}
	return l.Topic
}

func (d *deployment) source(topic string) *config.Source {
	i := slices.IndexFunc(d.c.Input.Sources, func(s config.Source) bool { return s.Topic == topic })
	if i < 0 {
		return nil
	}
	return &d.c.Input.Sources[i]
}

// lookUp asks Kafka about the topics that the letters' records go to.
func (d *deployment) lookUp(ctx context.Context, client *kgo.Client, letters []*Letter) error {
	for _, l := range letters {
		d.targets[d.target(l)] = target{}
	}
	var names []string
	for name := range d.targets {
		names = append(names, name)
	}
	if len(names) == 0 {
		return nil
	}
	details, err := kadm.NewClient(client).ListTopics(ctx, names...)
	if err != nil {
		return fmt.Errorf("looking up where to send to: %w", err)
	}
	keeps, err := kafka.NewTopics(client, d.c.Kafka).Retention(ctx, names...)
	if err != nil {
		return err
	}
	for _, name := range names {
		d.targets[name] = newTarget(name, details[name], keeps[name])
	}
	return nil
}

func newTarget(name string, detail kadm.TopicDetail, keeps kafka.Retention) target {
	t := target{partitions: int32(len(detail.Partitions))}
	switch {
	case detail.Err != nil:
		t.unfit = fmt.Errorf("topic %s: %w", name, detail.Err)
	case t.partitions == 0:
		t.unfit = fmt.Errorf("there is no topic %s", name)
	case keeps.Err != nil:
		t.unfit = fmt.Errorf("whether topic %s is compacted is not known: %w", name, keeps.Err)
	case keeps.Compacts:
		t.unfit = fmt.Errorf("topic %s is compacted: the old record would take the place of a newer one of its key; publish the newest again", name)
	}
	return t
}

// refusal says why a letter's record can't be sent again, nil if it can.
func (d *deployment) refusal(l *Letter) error {
	to := d.target(l)
	switch {
	case l.Truncated:
		return errors.New("it was cut, for it was too large for a letter; the whole record is where its id says, as long as Kafka keeps it there")
	case slices.Contains(d.own, l.Topic):
		return fmt.Errorf("its record is from %s, which only pqlstream writes to: it holds how far time had come there; publish the source's record again, "+
			"which its header source-position names (topic:partition:offset)", l.Topic)
	case slices.Contains(d.own, to):
		return fmt.Errorf("only pqlstream writes to %s", to)
	case d.to == "" && d.source(to) == nil:
		return fmt.Errorf("topic %s is none of input.sources, so that nothing would read it there: name another with --to", to)
	case l.Stage == string(config.Resolve) && !d.readsCanonical(to, l):
		return fmt.Errorf("it holds the event as pqlstream had it, not the source's record, and topic %s is not read in that form (JSON, with fields named as by default); "+
			"publish the source's record again, which is where its id says", to)
	}
	return d.targets[to].unfit
}

// readsCanonical says whether a topic's records are read as the events that resolve holds are written. What is no source nobody here reads.
func (d *deployment) readsCanonical(topic string, l *Letter) bool {
	s := d.source(topic)
	if s == nil {
		return true
	}
	return s.Encoding() == config.JSON && len(l.Value) > 0 && l.Value[0] == '{' && s.Event == "" &&
		reflect.DeepEqual(s.Fields.WithDefaults(), config.Fields{}.WithDefaults())
}

// wrongPartition is the code of records that the activation stage reads from a source, and that lie where their account does not belong.
const wrongPartition = "wrong_partition"

// partition is where a record goes: where it was, as far as there is such a partition and it was not the wrong one, and otherwise where its
// key belongs.
func (d *deployment) partition(l *Letter) int32 {
	n := d.targets[d.target(l)].partitions
	if there := d.target(l) == l.Topic && l.Reason != wrongPartition; (there || l.Key == nil) && l.Partition < n {
		return l.Partition
	}
	if l.Key == nil {
		return l.Partition % n
	}
	return kafka.Partition(l.Key, n)
}
