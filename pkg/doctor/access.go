package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/kafka"
	"github.com/pqlstream/pqlstream/pkg/stream"
)

// access asks what we may do with topics and groups. For the transactional ids of processes, which are random, Kafka can't be asked.
func (f *findings) access(ctx context.Context, s *Subject, admin *kadm.Client, plan *kafka.Plan) {
	const check = "kafka.access"
	need := needs(s, plan)
	var names []string
	for name := range need {
		names = append(names, name)
	}
	slices.Sort(names)
	found, err := admin.Metadata(kadm.WithAuthorizedOps(ctx), names...)
	if err != nil {
		f.warn(check, "asking what we may do: "+err.Error(), "")
		return
	}
	before, told := len(*f), false
	for _, name := range names {
		topic := found.Topics[name]
		if topic.Err != nil || len(topic.AuthorizedOperations) == 0 {
			continue // missing topics are said to be; old brokers don't tell
		}
		told = true
		if without := missing(need[name], topic.AuthorizedOperations); without != "" {
			f.fail(check, fmt.Sprintf("topic %s: we may not %s", name, without), allow("--topic", name, without))
		}
	}
	f.groups(ctx, s, admin)
	switch {
	case len(*f) > before:
	case told:
		f.ok(check, "we may do with topics and groups what the processes do; transactional ids can't be asked about: we need write and describe on those that begin with "+
			strings.Join(transactionalIDs(s.Config), ", "))
	default:
		f.skip(check, "the brokers don't tell")
	}
}

// transactionalIDs are what the ids of the stages' processes begin with, in the order of the stages.
func transactionalIDs(c *config.Config) (prefixes []string) {
	for _, r := range kafka.Readings(c) {
		if prefix := stream.TransactionalIDPrefix(r.Group, string(r.Stage)); !slices.Contains(prefixes, prefix) {
			prefixes = append(prefixes, prefix)
		}
	}
	return prefixes
}

// needs are the operations that the processes of the deployment do on each topic.
func needs(s *Subject, plan *kafka.Plan) map[string][]kadm.ACLOperation {
	need := map[string][]kadm.ACLOperation{}
	add := func(topic string, op kadm.ACLOperation) {
		if !slices.Contains(need[topic], op) {
			need[topic] = append(need[topic], op)
		}
	}
	for _, r := range kafka.Readings(s.Config) {
		add(r.Topic, kadm.OpRead)
	}
	for _, spec := range plan.Specs {
		add(spec.Name, kadm.OpWrite)
		if spec.Configs["delete.retention.ms"] != "" { // a changelog
			add(spec.Name, kadm.OpRead)
		}
	}
	names := s.Config.TopicNames()
	add(names.Checklists, kadm.OpRead) // whether the checklist is among them already
	if s.Config.API.Address != "" {
		add(names.Events, kadm.OpRead)
		if s.Config.Metrics.Enabled {
			add(names.Metrics, kadm.OpRead)
		}
	}
	return need
}

// groups asks about those that exist: of others brokers don't tell.
func (f *findings) groups(ctx context.Context, s *Subject, admin *kadm.Client) {
	for _, r := range kafka.Readings(s.Config) {
		described, err := admin.DescribeGroups(ctx, r.Group)
		if err != nil {
			continue
		}
		group := described[r.Group]
		if group.Err != nil || len(group.AuthorizedOperations) == 0 {
			continue
		}
		if without := missing([]kadm.ACLOperation{kadm.OpRead}, group.AuthorizedOperations); without != "" {
			f.fail("kafka.access", fmt.Sprintf("group %s: we may not %s", r.Group, without), allow("--group", r.Group, without))
		}
	}
}

// missing are the operations, in words, that are needed and not allowed.
func missing(need, allowed []kadm.ACLOperation) string {
	var without []string
	for _, op := range need {
		if !slices.Contains(allowed, op) && !slices.Contains(allowed, kadm.OpAll) {
			without = append(without, strings.ToLower(op.String()))
		}
	}
	return strings.Join(without, ", ")
}

func allow(kind, name, without string) string {
	ops := ""
	for op := range strings.SplitSeq(without, ", ") {
		ops += " --operation " + op
	}
	return "kafka-acls.sh --bootstrap-server HOST:PORT --add --allow-principal User:US" + ops + " " + kind + " " + name
}
