package api

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/pqlstream/pqlstream/pkg/checklist"
)

// currentChecklist is the checklist that the instance goes by.
type currentChecklist struct {
	Name       string `json:"name"`
	Version    int    `json:"version"`
	Hash       string `json:"hash"`
	Definition string `json:"definition"`
	Tiers      []tier `json:"tiers"`
	Steps      []step `json:"steps"`
}

type tier struct {
	Name       string   `json:"name"`
	Threshold  float64  `json:"threshold"`
	EscalateAt *float64 `json:"escalate_at"`
	Playbook   string   `json:"playbook"`
}

type step struct {
	ID     string  `json:"id"`
	Kind   string  `json:"kind"`
	Weight float64 `json:"weight"`
}

type checklistVersions struct {
	Items []ChecklistVersion `json:"items"`
}

type checklistDiff struct {
	From    ChecklistVersion `json:"from"`
	To      ChecklistVersion `json:"to"`
	Changes []string         `json:"changes"`
}

func (s *server) checklist(r *http.Request) (any, error) {
	if q := newQuery(r, nil, nil); q.err != nil {
		return nil, q.err
	}
	if s.parts.Checklists == nil {
		return nil, errNoChecklists
	}
	text, rules, err := s.parts.Checklists.Current()
	if err != nil {
		return nil, err
	}
	return newCurrentChecklist(text, rules), nil
}

var errNoChecklists = fmt.Errorf("%w: this instance has no checklist: its settings name none", ErrUnavailable)

func newCurrentChecklist(text string, rules *checklist.Checklist) *currentChecklist {
	c := &currentChecklist{Name: rules.Name(), Version: rules.Version(), Hash: rules.Hash(), Definition: text, Tiers: []tier{}, Steps: []step{}}
	for _, t := range rules.Tiers() {
		shown := tier{Name: t.Name, Threshold: t.Threshold, Playbook: t.Playbook.Name}
		if t.EscalateAt > 0 {
			shown.EscalateAt = &t.EscalateAt
		}
		c.Tiers = append(c.Tiers, shown)
	}
	for i := range rules.Steps() {
		s := &rules.Steps()[i]
		c.Steps = append(c.Steps, step{s.ID, s.Kind, s.Weight})
	}
	return c
}

func (s *server) versions(r *http.Request) (any, error) {
	if q := newQuery(r, nil, nil); q.err != nil {
		return nil, q.err
	}
	all, err := s.allVersions(r)
	return checklistVersions{all}, err
}

func (s *server) allVersions(r *http.Request) ([]ChecklistVersion, error) {
	if s.parts.Checklists == nil {
		return nil, errNoChecklists
	}
	all, err := s.parts.Checklists.Versions(r.Context())
	if all == nil {
		all = []ChecklistVersion{}
	}
	return all, err
}

func (s *server) diff(r *http.Request) (any, error) {
	q := newQuery(r, []string{"from", "to"}, nil)
	hashes := [2]string{q.hash("from"), q.hash("to")}
	if q.err != nil {
		return nil, q.err
	}
	all, err := s.allVersions(r)
	if err != nil {
		return nil, err
	}
	var both [2]ChecklistVersion
	for i, hash := range hashes {
		at := slices.IndexFunc(all, func(v ChecklistVersion) bool { return v.Hash == hash })
		if at < 0 {
			return nil, fmt.Errorf("%w: no checklist of the hash %s has decided here", ErrNotFound, hash)
		}
		both[i] = all[at]
	}
	changes, err := changesOf(both[0].Text, both[1].Text)
	if err != nil {
		return nil, fmt.Errorf("comparing the checklists %s and %s: %w", hashes[0], hashes[1], err)
	}
	return checklistDiff{both[0], both[1], changes}, nil
}

// hash returns a parameter that is a checklist's hash, which must be given.
func (q *query) hash(name string) string {
	text := q.text(name, 64)
	if !isHash(text) {
		q.wrong("%s: %q is not the hash of a checklist; /v1/checklist/versions lists them", name, text)
	}
	return text
}

func isHash(text string) bool {
	for _, c := range text {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return len(text) >= 2
}
