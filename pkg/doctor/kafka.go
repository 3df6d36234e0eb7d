package doctor

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/pqlstream/pqlstream/pkg/kafka"
)

// examineKafka looks at the cluster, with the checks of a process that starts, and at what these leave to the stages.
func examineKafka(ctx context.Context, s *Subject) []Finding {
	var f findings
	if err := kafka.Reach(ctx, s.Kafka, s.Config.Kafka); err != nil {
		f.fail("kafka.brokers", err.Error(), "check kafka.brokers, kafka.tls and kafka.sasl, and that the brokers run and can be reached from here")
		f.skip("kafka.topics", "Kafka is not reached")
		return f
	}
	admin := kadm.NewClient(s.Kafka)
	f.brokers(ctx, s, admin)
	topics := kafka.NewTopics(s.Kafka, s.Config.Kafka)
	plan, err := topics.Plan(ctx, s.Config)
	if err != nil {
		f.failures("kafka.topics", err)
		return f
	}
	f.topics(ctx, topics, plan)
	f.partitions(ctx, s, admin, plan)
	f.access(ctx, s, admin, plan)
	f.stages(ctx, s)
	f.lag(ctx, s, plan)
	f.brokerClock(ctx, s, admin, plan)
	return f
}

func (f *findings) brokers(ctx context.Context, s *Subject, admin *kadm.Client) {
	const check = "kafka.brokers"
	brokers, err := admin.ListBrokers(ctx)
	if err != nil {
		f.fail(check, err.Error(), "")
		return
	}
	features, err := kafka.ProbeFeatures(ctx, s.Kafka)
	if err == nil {
		err = features.Check()
	}
	if err == nil {
		_, err = kafka.GroupOptions(s.Config.Kafka, features)
	}
	if err != nil {
		f.failures(check, err)
		return
	}
	protocol := "classic"
	if kafka.UsesConsumerProtocol(s.Config.Kafka, features) {
		protocol = "consumer"
	}
	f.ok(check, fmt.Sprintf("brokers: %d, Kafka %s, group protocol: %s, transactions v%d", len(brokers), versionOf(ctx, admin), protocol, max(features.TransactionVersion, 1)))
}

// versionOf is what the first broker that answers seems to be.
func versionOf(ctx context.Context, admin *kadm.Client) string {
	versions, err := admin.ApiVersions(ctx)
	if err != nil {
		return "of an unknown version"
	}
	for _, v := range versions.Sorted() {
		if v.Err == nil {
			return v.VersionGuess()
		}
	}
	return "of an unknown version"
}

func (f *findings) topics(ctx context.Context, topics *kafka.Topics, plan *kafka.Plan) {
	const check = "kafka.topics"
	warnings, err := topics.Check(ctx, plan)
	for _, w := range warnings {
		f.sentence(check, Warning, w)
	}
	switch {
	case err != nil:
		f.failures(check, err)
	case len(warnings) == 0:
		f.ok(check, fmt.Sprintf("all %d are as they have to be", len(plan.Specs)))
	}
}

func (f *findings) partitions(ctx context.Context, s *Subject, admin *kadm.Client, plan *kafka.Plan) {
	found, err := admin.ListTopics(ctx, namesOf(s, plan)...)
	if err != nil {
		f.fail("kafka.partitions", err.Error(), "")
		return
	}
	f.copies(found)
}

// copies looks for partitions that nobody leads, or of which copies are behind.
func (f *findings) copies(found kadm.TopicDetails) {
	const check = "kafka.partitions"
	total, before := 0, len(*f)
	for _, topic := range found.Sorted() {
		for _, p := range topic.Partitions.Sorted() {
			total++
			switch {
			case p.Err != nil || p.Leader < 0:
				f.fail(check, fmt.Sprintf("partition %d of %s has no leader", p.Partition, p.Topic), "bring the brokers back that hold it")
			case len(p.ISR) < len(p.Replicas):
				f.warn(check, fmt.Sprintf("partition %d of %s has %d of %d copies in sync", p.Partition, p.Topic, len(p.ISR), len(p.Replicas)),
					"look for a broker that is down or behind")
			}
		}
	}
	if len(*f) == before {
		f.ok(check, fmt.Sprintf("all %d have a leader and all their copies", total))
	}
}

// namesOf are the topics that the deployment reads and writes.
func namesOf(s *Subject, plan *kafka.Plan) (names []string) {
	for _, spec := range plan.Specs {
		names = append(names, spec.Name)
	}
	for i := range s.Config.Input.Sources {
		names = append(names, s.Config.Input.Sources[i].Topic)
	}
	return names
}

// stages looks for stages that no process runs while processes run others: then events, or metrics, get no further than there.
func (f *findings) stages(ctx context.Context, s *Subject) {
	const check = "kafka.stages"
	readings := kafka.Readings(s.Config)
	idle, err := kafka.Idle(ctx, s.Kafka, readings)
	if err != nil {
		f.warn(check, err.Error(), "")
		return
	}
	needed := kafka.StagesOf(readings)
	switch len(idle) {
	case 0:
		f.ok(check, "processes run all that the settings need: "+kafka.Listed(needed))
	case len(needed):
		f.ok(check, "no process runs yet; the settings need the stages "+kafka.Listed(needed))
	default:
		f.warn(check, "processes run, but none runs "+kafka.Listed(idle), "name these among the stages of a process (setting stages)")
	}
}

func (f *findings) lag(ctx context.Context, s *Subject, plan *kafka.Plan) {
	const check = "kafka.lag"
	if !plan.Complete() {
		f.skip(check, "topics are missing")
		return
	}
	lags, err := kafka.Lags(ctx, s.Kafka, kafka.Readings(s.Config))
	if err != nil {
		f.warn(check, err.Error(), "")
		return
	}
	total, begun := int64(0), false
	for _, l := range lags {
		total += l.Records
		begun = begun || l.Committed >= 0
	}
	if !begun {
		f.ok(check, fmt.Sprintf("no stage has committed anything yet, and %d records wait", total))
		return
	}
	f.ok(check, fmt.Sprintf("%d records wait for all stages together; pqlstream lag tells where", total))
}

// apart is how far clocks may be apart: beyond that, first stages let no time pass where nothing comes.
const apart = time.Minute

// brokerClock holds the newest timestamp that brokers have given against our clock. Kafka tells its time in no other way, so a clock
// that is behind is not found.
func (f *findings) brokerClock(ctx context.Context, s *Subject, admin *kadm.Client, plan *kafka.Plan) {
	const check = "clock.kafka"
	var stamped []string // by the broker
	for _, spec := range plan.Specs {
		if spec.Configs["message.timestamp.type"] == "LogAppendTime" {
			stamped = append(stamped, spec.Name)
		}
	}
	newest, err := admin.ListMaxTimestampOffsets(ctx, stamped...)
	if err != nil {
		f.skip(check, "the brokers don't tell their newest timestamps: "+err.Error())
		return
	}
	at := int64(-1)
	newest.Each(func(o kadm.ListedOffset) {
		if o.Err == nil {
			at = max(at, o.Timestamp)
		}
	})
	if at < 0 {
		f.ok(check, "nothing was written yet that would tell it")
		return
	}
	if ahead := time.UnixMilli(at).Sub(s.Now()); ahead > apart {
		f.fail(check, fmt.Sprintf("a broker's clock is at least %v ahead of ours", ahead.Round(time.Second)), "have NTP set the clocks of the brokers and of this machine")
		return
	}
	f.ok(check, "the newest record is not from our future")
}
