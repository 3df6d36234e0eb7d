package inspect

import (
	"context"
	"errors"
	"fmt"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/state"
	"github.com/pqlstream/pqlstream/pkg/stream"
)

// ErrNoAccount says that nothing is known of an account.
var ErrNoAccount = errors.New("no such account")

// Accounts reads a deployment's accounts. It is safe for concurrent use.
type Accounts struct {
	entities Entities
	engine   *account.Engine
	index    *account.Index
}

// New returns Accounts that are read from activation's mirrors and understood by an engine's checklist.
func New(activation Entities, engine *account.Engine) *Accounts {
	return &Accounts{entities: activation, engine: engine, index: account.NewIndex(engine)}
}

// Get returns an account as it stands in the mirror; NewAccount makes the form for programs of it. The time, in ms since the
// Unix epoch, decides how many of its users count as active. ErrNoAccount, ErrNotReady.
func (a *Accounts) Get(ctx context.Context, id string, at int64) (account.View, error) {
	s, _, err := a.State(ctx, id)
	switch {
	case err != nil:
		return account.View{}, err
	case s == nil:
		return account.View{}, fmt.Errorf("%w: nothing that the checklist listens to has happened in an account %q", ErrNoAccount, id)
	}
	return a.engine.View(s, at), nil
}

// State returns an account's state, nil when there is none, and the position in activation's input after the last record
// that has changed it. ErrNotReady.
func (a *Accounts) State(ctx context.Context, id string) (s *account.State, applied int64, err error) {
	value, err := a.entities.Get(ctx, id)
	if err != nil || value == nil {
		return nil, 0, err
	}
	return a.load(id, value)
}

// Each visits the states of all accounts. It reads everything. ErrNotReady.
func (a *Accounts) Each(ctx context.Context, visit func(id string, s *account.State)) error {
	return a.entities.Each(ctx, func(e *state.Entry) error {
		s, _, err := a.load(e.Key, e.Value)
		if err == nil {
			visit(e.Key, s)
		}
		return err
	})
}

// Engine is what the accounts are understood by.
func (a *Accounts) Engine() *account.Engine { return a.engine }

// Partitions is how many activation's input has.
func (a *Accounts) Partitions() int32 { return int32(len(a.entities.Mirrors)) }

func (a *Accounts) load(id string, value []byte) (*account.State, int64, error) {
	applied, encoded, err := stream.Unwrap(value)
	if err != nil {
		return nil, 0, fmt.Errorf("reading account %s: %w", id, err)
	}
	s, err := a.engine.Load(id, encoded)
	return s, applied, err
}
