package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Check compares the planned topics, as they were found, with what the deployment needs. An *Unfit lists everything that keeps it from working,
// each with its remedy; warnings are what it can live with, such as a shorter retention.
func (t *Topics) Check(ctx context.Context, p *Plan) (warnings []string, err error) {
	c := check{replicas: p.replicas}
	var existing []string
	for _, s := range p.Specs {
		if c.exists(&s, p.found[s.Name]) {
			existing = append(existing, s.Name)
		}
	}
	if len(existing) > 0 {
		described, err := t.admin.DescribeTopicConfigs(ctx, existing...)
		if err != nil {
			return nil, fmt.Errorf("looking up the settings of the topics: %w", err)
		}
		for _, s := range p.Specs {
			if topic, err := described.On(s.Name, nil); err == nil {
				c.settings(&s, &topic)
			}
		}
	}
	if len(c.problems) > 0 {
		err = &Unfit{errors.Join(c.problems...)}
	}
	return c.warnings, err
}

// Unfit says that a cluster or its topics are not what the deployment can rely on. Waiting does not help.
type Unfit struct{ Err error }

func (u *Unfit) Error() string { return u.Err.Error() }

// Unwrap returns what is wrong.
func (u *Unfit) Unwrap() error { return u.Err }

// check collects what a comparison finds.
type check struct {
	replicas int // that a topic should have
	problems []error
	warnings []string
}

func (c *check) problem(format string, args ...any) {
	c.problems = append(c.problems, fmt.Errorf(format, args...))
}

func (c *check) warn(format string, args ...any) {
	c.warnings = append(c.warnings, fmt.Sprintf(format, args...))
}

// exists compares what a topic consists of.
func (c *check) exists(s *Spec, topic kadm.TopicDetail) bool {
	switch {
	case errors.Is(topic.Err, kerr.UnknownTopicOrPartition):
		c.problem("topic %s does not exist; run `pqlstream topics create`, or set kafka.create_topics", s.Name)
		return false
	case topic.Err != nil:
		c.problem("topic %s: %w", s.Name, topic.Err)
		return false
	}
	if n := int32(len(topic.Partitions)); s.Input != "" && n != s.Partitions {
		c.problem("topic %s has %d partitions, its input %s has %d; the count belongs to the identity of the states and can't change: "+
			"use another prefix, or delete %s if nobody needs what it holds", s.Name, n, s.Input, s.Partitions, s.Name)
	}
	if n := topic.Partitions.NumReplicas(); n < c.replicas {
		c.warn("topic %s has %d replicas, not %d; a broker that is lost may take data with it", s.Name, n, c.replicas)
	}
	return true
}

// settings compares Kafka's settings of a topic.
func (c *check) settings(s *Spec, topic *kadm.ResourceConfig) {
	if topic.Err != nil {
		c.warn("topic %s: its settings can't be read, so they are not checked: %v", s.Name, topic.Err)
		return
	}
	is := map[string]string{}
	for _, entry := range topic.Configs {
		is[entry.Key] = entry.MaybeValue()
	}
	c.necessary(s, is)
	if want, isLog := s.Configs["retention.ms"]; isLog {
		c.retention(s.Name, is, want)
	}
	if c.replicas >= 3 && is["min.insync.replicas"] == "1" {
		c.warn("topic %s has min.insync.replicas 1: a record may be acknowledged by one broker and lost with it; run %s",
			s.Name, alter(s.Name, "min.insync.replicas", "2"))
	}
	if is["unclean.leader.election.enable"] == "true" {
		c.warn("topic %s has unclean.leader.election.enable true: acknowledged records may be lost; run %s",
			s.Name, alter(s.Name, "unclean.leader.election.enable", "false"))
	}
}

// necessary compares the settings without which states or records get lost or stuck.
func (c *check) necessary(s *Spec, is map[string]string) {
	if want := s.Configs["cleanup.policy"]; policies(is["cleanup.policy"]) != policies(want) {
		c.problem("topic %s has cleanup.policy %s, it has to be %s; run %s", s.Name, is["cleanup.policy"], want, alter(s.Name, "cleanup.policy", want))
	}
	if n, err := strconv.Atoi(is["max.message.bytes"]); err == nil && n < MaxRecordBytes {
		c.problem("topic %s has max.message.bytes %d, which a state or an event may pass; run %s",
			s.Name, n, alter(s.Name, "max.message.bytes", s.Configs["max.message.bytes"]))
	}
	if n, err := strconv.ParseInt(is["delete.retention.ms"], 10, 64); s.Configs["delete.retention.ms"] != "" && err == nil && n < TombstoneRetention.Milliseconds() {
		c.problem("topic %s has delete.retention.ms %d: a mirror that is brought forward might miss deletions; run %s",
			s.Name, n, alter(s.Name, "delete.retention.ms", s.Configs["delete.retention.ms"]))
	}
}

// policies brings a list of cleanup policies into one order.
func policies(list string) string {
	names := strings.Split(strings.ReplaceAll(list, " ", ""), ",")
	slices.Sort(names)
	return strings.Join(names, ",")
}

func (c *check) retention(name string, is map[string]string, want string) {
	least, _ := strconv.ParseInt(want, 10, 64)
	if got, err := strconv.ParseInt(is["retention.ms"], 10, 64); err == nil && got >= 0 && got < least {
		c.warn("topic %s keeps records for %s ms, less than the usual %s ms", name, is["retention.ms"], want)
	}
	if is["message.timestamp.type"] == "CreateTime" {
		c.warn("topic %s has message.timestamp.type CreateTime: Kafka may delete old events that are replayed before they are read; run %s",
			name, alter(name, "message.timestamp.type", "LogAppendTime"))
	}
}

// alter is the command that changes a topic's setting.
func alter(topic, key, value string) string {
	return fmt.Sprintf("kafka-configs.sh --bootstrap-server HOST:PORT --alter --topic %s --add-config %s=%s", topic, key, value)
}
