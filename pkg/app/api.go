package app

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/pqlstream/pqlstream/pkg/api"
	"github.com/pqlstream/pqlstream/pkg/api/page"
	"github.com/pqlstream/pqlstream/pkg/checklist"
	"github.com/pqlstream/pqlstream/pkg/telemetry"
)

const (
	apiStreams     = 64               // clients that may follow PQLs at a process
	apiConnections = 512              // held at a time: files are for Kafka and Redis first
	apiIdle        = 30 * time.Second // after which a connection over which nothing is asked is closed
)

// apiService is what the API of a process is served from. It answers from the start on; what is not there yet it says.
type apiService struct {
	app      *App
	leads    *api.Leads
	accounts *apiAccounts // nil: the settings don't say where accounts are

	definition atomic.Pointer[definition] // nil before it has been read
	unread     atomic.Pointer[error]      // why it can't be read; nil: nothing is known to be wrong
	client     atomic.Pointer[kgo.Client] // nil before Kafka was reached
	versions   *keptVersions
}

// newAPIService returns nil where the API is not served.
func newAPIService(a *App) *apiService {
	if a.c.API.Address == "" {
		return nil
	}
	s := &apiService{app: a, leads: api.NewLeads(), versions: newKeptVersions()}
	if a.c.Checklist != "" && len(a.c.Redis.Addresses) > 0 {
		s.accounts = newAPIAccounts(a.c)
	}
	return s
}

// serve runs the process beside its API, which answers until the end.
func (s *apiService) serve(ctx context.Context, run func(context.Context) error) error {
	a := s.app
	limits := api.Limits{Token: a.c.API.Token.Reveal(), RequestsPerSecond: float64(a.c.API.RequestsPerSecond), Streams: apiStreams}
	server, err := telemetry.Listen("the API", a.c.API.Address, api.New(s.parts(), limits, a.log), a.log)
	if err != nil {
		return unopened("api.address", err)
	}
	server.Limit(apiConnections, apiIdle)
	a.log.Info("serving the API and the page", "address", server.Address())
	a.onServing(server.Address())
	return beside(ctx, server, func(ctx context.Context) error {
		defer s.leads.Close() // streams do not end by themselves
		return run(ctx)
	})
}

func (s *apiService) parts() api.Parts {
	p := api.Parts{Status: s.app, Leads: s.leads, Page: page.Handler(api.TakesGzip, api.Refuse)}
	if s.app.c.Checklist != "" {
		p.Checklists = s
	}
	if s.accounts != nil {
		p.Accounts = s.accounts
	}
	if s.app.metrics != nil {
		p.Metrics = s.app.metrics
	}
	return p
}

// open makes what needs Kafka, and keeps it up to date until the context ends.
func (s *apiService) open(ctx context.Context, group *errgroup.Group) {
	a := s.app
	s.client.Store(a.client)
	group.Go(func() error { s.followLeads(ctx); return nil })
	if d := s.definition.Load(); s.accounts != nil && d != nil {
		group.Go(func() error { return s.openAccounts(ctx, d.rules) })
	}
}

// openAccounts returns an error only where the process is there for nothing but the API.
func (s *apiService) openAccounts(ctx context.Context, rules *checklist.Checklist) error {
	err := s.accounts.open(ctx, s.app.client, rules, s.app.log)
	if err == nil || len(s.app.c.Stages) == 0 {
		return err
	}
	s.app.log.Warn("the API has no accounts to tell of", "error", err)
	s.accounts.fail(err)
	return nil
}

// withoutChecklist has the API say why it can't tell of the checklist, nor of accounts, which are understood by it.
func (s *apiService) withoutChecklist(err error) {
	s.unread.Store(&err)
	if s.accounts != nil {
		s.accounts.fail(err)
	}
}

func (s *apiService) close() {
	if s.accounts != nil {
		s.accounts.close()
	}
}
