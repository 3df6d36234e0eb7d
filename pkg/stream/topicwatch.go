package stream

import (
	"context"
	"fmt"
)

// watchTopics ends the process when a topic is no longer the one that it started with. Nothing else would: of an input
// that was deleted and created again the client fetches nothing and reports nothing.
func (r *Runtime) watchTopics(ctx context.Context) {
	for {
		pause(ctx, 10*r.o.CheckpointInterval)
		if ctx.Err() != nil {
			return
		}
		if err := r.checkTopics(ctx); err != nil {
			r.fail(err)
			return
		}
	}
}

// checkTopics refuses topics that have changed. Not to learn of them is no reason: a takeover waits for them to be there.
func (r *Runtime) checkTopics(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.o.patience())
	defer cancel()
	for _, in := range r.o.Inputs {
		for name, was := range map[string]topicInfo{in.Topic: r.inputs[in.Topic], in.Changelog: r.logs[in.Topic]} {
			_, topics, err := describeTopics(ctx, r.plain, name)
			if err != nil {
				continue
			}
			if err := was.checkSame(topics[name]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t topicInfo) checkSame(now topicInfo) error {
	switch {
	case now.id != t.id:
		return &Refusal{
			What:   fmt.Sprintf("topic %s was deleted and created again: its id is %s, was %s", t.name, now.idString(), t.idString()),
			Remedy: "the state belongs to the topic that is gone; start anew under another prefix and group",
		}
	case len(now.leaders) != len(t.leaders):
		return &Refusal{
			What:   fmt.Sprintf("topic %s has %d partitions, it had %d", t.name, len(now.leaders), len(t.leaders)),
			Remedy: "the partition count of a keyed topic is part of the state's identity: it can't be changed; start anew under another prefix",
		}
	}
	return nil
}
