package app

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/pipeline"
)

// lookInterval is how often it is looked whether something has been erased.
const lookInterval = 100 * time.Millisecond

// Ask asks everybody who is to forget something and has not been asked yet. After an error some may have been asked; asking
// again does no harm.
func (x *Erasure) Ask(ctx context.Context) error {
	x.at = time.Now()
	var records []*kgo.Record
	var asked []*Target
	for _, t := range x.Targets {
		if t.Asked {
			continue
		}
		r, err := x.request(t)
		if err != nil {
			return fmt.Errorf("asking to erase %s: %w", x.who(), err)
		}
		records, asked = append(records, r), append(asked, t)
	}
	for i, result := range x.eraser.producer.ProduceSync(ctx, records...) {
		if result.Err != nil {
			return fmt.Errorf("asking to erase %s, in topic %s: %w; some of it may have been asked for, and asking again does no harm",
				x.who(), records[i].Topic, result.Err)
		}
	}
	for i, t := range asked {
		t.Asked, t.partition, t.offset = true, records[i].Partition, records[i].Offset
	}
	return nil
}

func (x *Erasure) request(t *Target) (*kgo.Record, error) {
	e, at := x.eraser, x.at.UnixMilli()
	switch {
	case x.User == "":
		return pipeline.EraseAccount(e.usage, t.Account, at)
	case t.Account == "":
		return pipeline.EraseUnresolved(e.unresolved, x.User, at)
	}
	return pipeline.EraseUser(e.usage, x.User, t.Account, at)
}

// NotDone says that something was asked for and has not been seen done.
type NotDone struct {
	Left []string // by whom
	Last error    // what kept from looking, if anything
}

func (n *NotDone) Error() string {
	const most = 5
	who := n.Left
	if len(who) > most {
		who = append(who[:most:most], fmt.Sprintf("%d more", len(who)-most))
	}
	text := "asked for, and it will be done, but it is not seen yet"
	if len(who) > 0 {
		text += " of " + strings.Join(who, ", ") + ": are the processes of the deployment that run activation and resolve up, and where are they?"
	}
	if n.Last != nil {
		text += fmt.Sprintf(" (looking has failed: %v)", n.Last)
	}
	return text
}

// Await waits until all that was asked for shows in Redis, and asks accounts that have come to know a user meanwhile, as those do
// into which others are being merged. A context that ends makes it a *NotDone. progress is told how many of how many are done.
func (x *Erasure) Await(ctx context.Context, progress func(done, of int)) error {
	var last error
	for {
		left, err := x.look(ctx)
		progress(len(x.Targets)-len(left), len(x.Targets))
		if len(left) == 0 {
			var more bool
			if more, err = x.more(ctx); !more && err == nil {
				return nil
			}
		}
		if ctx.Err() == nil { // otherwise it says only that
			last = err
		}
		select {
		case <-ctx.Done():
			return &NotDone{left, last}
		case <-time.After(lookInterval):
		}
	}
}

// look looks who has not done what was asked for. Its error says why that is not known of all.
func (x *Erasure) look(ctx context.Context) (left []string, last error) {
	passed, last := x.passed(ctx)
	for _, t := range x.Targets {
		if t.Done {
			continue
		}
		done, err := x.done(ctx, t, passed)
		if t.Done = done; !done {
			left = append(left, t.who())
		}
		if err != nil {
			last = err
		}
	}
	return left, last
}

// who is asked, in words.
func (t *Target) who() string {
	if t.Account == "" {
		return "resolve"
	}
	return quoted("account ", t.Account)
}

// passed returns how far the stages have committed.
func (x *Erasure) passed(ctx context.Context) (kadm.Offsets, error) {
	e, all := x.eraser, kadm.Offsets{}
	admin := kadm.NewClient(e.producer)
	for stage, topic := range map[config.Stage]string{config.Activation: e.usage.Name, config.Resolve: e.unresolved.Name} {
		if topic == "" {
			continue
		}
		committed, err := admin.FetchOffsetsForTopics(ctx, e.c.Group(stage), topic)
		if err != nil {
			return all, fmt.Errorf("looking up how far group %s has come: %w", e.c.Group(stage), err)
		}
		committed.Each(func(o kadm.OffsetResponse) {
			if o.Err == nil {
				all.Add(o.Offset)
			}
		})
	}
	return all, nil
}

// done says whether a target has done what it was asked for. Its state tells by the position of the record that changed it last:
// what has come since is no matter. Where the request has changed nothing, nothing must be left when it has been passed.
func (x *Erasure) done(ctx context.Context, t *Target, passed kadm.Offsets) (bool, error) {
	look, topic := x.lookAtAccount, x.eraser.usage.Name
	if t.Account == "" {
		look, topic = x.lookAtUser, x.eraser.unresolved.Name
	}
	applied, empty, err := look(ctx, t)
	committed, _ := passed.Lookup(topic, t.partition)
	return err == nil && (applied > t.offset || empty && committed.At > t.offset), err
}

// lookAtAccount looks at an account that is to forget something, and says whether there is nothing to forget.
func (x *Erasure) lookAtAccount(ctx context.Context, t *Target) (applied int64, empty bool, err error) {
	accounts := x.eraser.accounts
	s, applied, err := accounts.State(ctx, t.Account)
	if err != nil || s == nil {
		return 0, s == nil, err
	}
	v := accounts.Engine().View(s, x.at.UnixMilli())
	t.PartlyErased = v.PartlyErased
	return applied, x.User != "" && !accounts.Engine().Folder().Knows(s, x.User), nil
}

// lookAtUser looks at what resolve knows of a user, and says whether that is nothing.
func (x *Erasure) lookAtUser(ctx context.Context, _ *Target) (applied int64, empty bool, err error) {
	e := x.eraser
	value, err := e.users.Get(ctx, x.User)
	if err != nil {
		return 0, false, err
	}
	if value == nil {
		return 0, true, nil
	}
	user, applied, err := loadUser(x.User, value)
	return applied, err == nil && !user.Known() && !user.Waiting(), err
}

// more asks the accounts that know a user by now and have not been asked, and says whether there are any. Those that have been
// know the user by something that came later, which is theirs to keep.
func (x *Erasure) more(ctx context.Context) (bool, error) {
	if x.User == "" {
		return false, nil
	}
	knowing, _, err := x.eraser.knowing(ctx, x.User)
	if err != nil {
		return false, err
	}
	before := len(x.Targets)
	for _, account := range knowing {
		if t := x.target(account); t != nil {
			t.Again = true
			continue
		}
		x.add(account, KnowsUser)
	}
	if len(x.Targets) == before {
		return false, nil
	}
	return true, x.Ask(ctx)
}
