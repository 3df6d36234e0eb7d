package main

import (
	"github.com/pqlstream/pqlstream/pkg/inspect"
	"github.com/pqlstream/pqlstream/pkg/top"
)

// topReport is what top shows as programs read it.
type topReport struct {
	At        int64          `json:"at"` // ms since the Unix epoch
	Processes []process      `json:"processes"`
	Stages    []top.Standing `json:"stages"`
	Lag       *lagReport     `json:"lag"`
	Redis     *redisLoad     `json:"redis"` // null: it did not answer
	PQLs      latestPQLs     `json:"pqls"`
	Missing   []string       `json:"missing"` // what did not answer, a sentence each
}

type process struct {
	URL   string `json:"url"`
	Ready bool   `json:"ready"`
}

// redisLoad is what Redis's servers tell, added up.
type redisLoad struct {
	Servers   int   `json:"servers"`
	Used      int64 `json:"used_bytes"`
	Limit     int64 `json:"limit_bytes"` // 0: there is none
	Clients   int64 `json:"clients"`
	PerSecond int64 `json:"commands_per_second"`
}

type latestPQLs struct {
	Total int64         `json:"total"`
	Items []inspect.Row `json:"items"` // the newest
}

func newTopReport(before, now *top.Sample) *topReport {
	r := &topReport{
		At: now.At.UnixMilli(), Processes: []process{}, Stages: top.Stages(before, now), Lag: newLagReport(now.Lags),
		PQLs: latestPQLs{now.PQLsTotal, append([]inspect.Row{}, now.PQLs...)}, Missing: append([]string{}, now.Missing...),
	}
	for _, p := range now.Processes {
		r.Processes = append(r.Processes, process{p.URL, p.Ready})
	}
	if s := now.Redis; s.Servers > 0 {
		r.Redis = &redisLoad{s.Servers, s.Used, s.Limit, s.Clients, s.PerSecond}
	}
	return r
}
