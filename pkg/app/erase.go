package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/identity"
	"github.com/pqlstream/pqlstream/pkg/inspect"
	"github.com/pqlstream/pqlstream/pkg/kafka"
	"github.com/pqlstream/pqlstream/pkg/pipeline"
	"github.com/pqlstream/pqlstream/pkg/state"
	"github.com/pqlstream/pqlstream/pkg/stream"
)

// Eraser has accounts and users erased by the processes of a deployment, wherever those run: what it asks for it writes to
// Kafka, and what has come of it it reads from Redis.
type Eraser struct {
	c          *config.Config
	accounts   *Accounts
	producer   *kgo.Client
	usage      pipeline.Topic
	unresolved pipeline.Topic   // only where users are resolved
	users      inspect.Entities // resolve's; of no partition where users are not resolved
}

// OpenEraser connects to Kafka and Redis. It refuses a deployment without ingest. Close the result.
func OpenEraser(ctx context.Context, c *config.Config, log *slog.Logger) (*Eraser, error) {
	if c.Direct() {
		return nil, config.Problems{{Path: "input.mode", Text: "erasing needs the ingest stage: a request travels with the events in a topic of the " +
			"deployment's own, and here the source is read directly; set input.mode to ingest, and have a process run that stage"}}
	}
	accounts, err := OpenAccounts(ctx, c, log)
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		err = fmt.Errorf("%w; are the settings those of the processes that run? Without topics there is nothing to erase", err)
	}
	if err != nil {
		return nil, err
	}
	e := &Eraser{c: c, accounts: accounts, usage: pipeline.Topic{Name: c.TopicNames().Usage, Partitions: accounts.Partitions()}}
	if err := e.open(ctx, log); err != nil {
		e.Close()
		return nil, err
	}
	return e, nil
}

func (e *Eraser) open(ctx context.Context, log *slog.Logger) (err error) {
	if e.producer, err = kafka.NewClient(e.c.Kafka, log, kgo.RequiredAcks(kgo.AllISRAcks()), kgo.RecordPartitioner(kgo.ManualPartitioner())); err != nil {
		return err
	}
	if !e.c.ResolvesUsers() {
		return nil
	}
	names := e.c.TopicNames()
	input := stream.Input{Topic: names.Unresolved, Changelog: names.ResolveChangelog}
	e.users.Store = e.accounts.store
	e.users.Mirrors, err = stream.Mirrors(ctx, e.producer, string(config.Resolve), e.c.Group(config.Resolve), input)
	if err != nil {
		return fmt.Errorf("looking up where the deployment's users are: %w", err)
	}
	e.unresolved = pipeline.Topic{Name: names.Unresolved, Partitions: int32(len(e.users.Mirrors))}
	return nil
}

// Close ends the connections.
func (e *Eraser) Close() {
	e.accounts.Close()
	if e.producer != nil {
		e.producer.Close()
	}
}

// Erasure is the erasure of one account or user.
type Erasure struct {
	Account string // the account; empty: it is a user's
	User    string // the user; empty: it is an account's
	Targets []*Target
	Linked  int  // of an account: how many users are known to belong to it
	Unknown bool // nothing was known of it when it was looked for

	eraser *Eraser
	at     time.Time // when it was asked for
}

// Target is who is asked to forget something.
type Target struct {
	Account string // empty: whoever knows the user's accounts, which is resolve
	Is      Role

	Asked bool
	Done  bool // what was asked for shows in Redis
	Again bool // it knows the user again since then, by something that came later

	PartlyErased bool // what a user did is part of what it counts

	partition int32 // of the request
	offset    int64
}

// Role is why somebody is a Target.
type Role string

// The roles.
const (
	TheAccount Role = "account"   // the one that is to be erased, or that it was merged into
	MergedIn   Role = "merged"    // it was merged into the account, and is one with it
	KnowsUser  Role = "knows"     // the user is among what is known of it
	Named      Role = "named"     // whoever asks has named it
	TellsUsers Role = "resolving" // resolve, which knows the user's accounts
)

// FindAccount finds what is to be erased of an account: itself, and all that was merged with it.
func (e *Eraser) FindAccount(ctx context.Context, id string) (*Erasure, error) {
	if _, err := pipeline.EraseAccount(e.usage, id, 0); err != nil {
		return nil, fmt.Errorf("account %q: %w", id, err)
	}
	merged := aliases{}
	if err := e.accounts.Each(ctx, merged.learn); err != nil {
		return nil, err
	}
	x := &Erasure{Account: id, eraser: e}
	root := merged.root(id)
	x.add(root, TheAccount)
	for _, alias := range slices.Sorted(maps.Keys(merged)) {
		if alias != root && merged.root(alias) == root {
			x.add(alias, MergedIn)
		}
	}
	s, _, err := e.accounts.State(ctx, root)
	if err != nil {
		return nil, err
	}
	x.Linked, err = e.linked(ctx, x)
	x.Unknown = s == nil && len(x.Targets) == 1 && x.Linked == 0
	return x, err
}

// linked counts the users who are known to belong to the accounts of an erasure.
func (e *Eraser) linked(ctx context.Context, x *Erasure) (n int, err error) {
	err = e.users.Each(ctx, func(entry *state.Entry) error {
		user, _, err := loadUser(entry.Key, entry.Value)
		if err == nil && slices.ContainsFunc(user.Accounts(), func(id string) bool { return x.target(id) != nil }) {
			n++
		}
		return err
	})
	return n, err
}

// FindUser finds the accounts that know a user. Others may be named. inspect.ErrNoAccount says that nothing is known of such a one.
func (e *Eraser) FindUser(ctx context.Context, id string, named []string) (*Erasure, error) {
	if _, err := pipeline.EraseUnresolved(e.usage, id, 0); err != nil {
		return nil, fmt.Errorf("user %q: %w", id, err)
	}
	knowing, merged, err := e.knowing(ctx, id)
	if err != nil {
		return nil, err
	}
	x := &Erasure{User: id, eraser: e, Unknown: len(knowing) == 0}
	if len(e.users.Mirrors) > 0 {
		x.add("", TellsUsers)
		_, empty, err := x.lookAtUser(ctx, nil)
		if err != nil {
			return nil, err
		}
		x.Unknown = x.Unknown && empty
	}
	for _, account := range knowing {
		x.add(account, KnowsUser)
	}
	for _, account := range named {
		root := merged.root(account)
		s, _, err := e.accounts.State(ctx, root)
		switch {
		case err != nil:
			return nil, err
		case s == nil:
			return nil, fmt.Errorf("%w: nothing is known of account %q, which --account names: leave it out", inspect.ErrNoAccount, account)
		}
		x.add(root, Named)
	}
	return x, nil
}

// knowing returns the accounts that know a user, ascending, and all aliases.
func (e *Eraser) knowing(ctx context.Context, user string) (ids []string, merged aliases, err error) {
	folder := e.accounts.Engine().Folder()
	merged = aliases{}
	err = e.accounts.Each(ctx, func(id string, s *account.State) {
		merged.learn(id, s)
		if folder.Knows(s, user) {
			ids = append(ids, id)
		}
	})
	slices.Sort(ids)
	return slices.Compact(ids), merged, err
}

// add adds who is to be asked, once.
func (x *Erasure) add(account string, is Role) {
	if x.target(account) == nil {
		x.Targets = append(x.Targets, &Target{Account: account, Is: is})
	}
}

func (x *Erasure) target(account string) *Target {
	if i := slices.IndexFunc(x.Targets, func(t *Target) bool { return t.Account == account }); i >= 0 {
		return x.Targets[i]
	}
	return nil
}

// aliases are the accounts that were merged into others, each with that.
type aliases map[string]string

func (a aliases) learn(id string, s *account.State) {
	if to := s.Alias(); to != "" {
		a[id] = to
	}
}

// root returns the account that an id leads to: of those that lead back to themselves it is the smallest.
func (a aliases) root(id string) string {
	seen := []string{id}
	for to := a[id]; to != ""; to = a[to] {
		if at := slices.Index(seen, to); at >= 0 {
			return slices.Min(seen[at:])
		}
		seen = append(seen, to)
	}
	return seen[len(seen)-1]
}

func loadUser(id string, value []byte) (u *identity.User, applied int64, err error) {
	applied, encoded, err := stream.Unwrap(value)
	if err == nil {
		u, err = identity.Load(encoded)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("reading user %s: %w", id, err)
	}
	return u, applied, nil
}

// who is erased, in words.
func (x *Erasure) who() string {
	return cmp.Or(quoted("account ", x.Account), quoted("user ", x.User))
}

func quoted(what, id string) string {
	if id == "" {
		return ""
	}
	return fmt.Sprintf("%s%q", what, id)
}
