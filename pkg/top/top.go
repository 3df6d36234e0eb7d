// Package top draws where a deployment stands on a terminal: pure text of what was sampled.
package top

import (
	"time"

	"github.com/pqlstream/pqlstream/pkg/inspect"
	"github.com/pqlstream/pqlstream/pkg/kafka"
)

// Sample is where a deployment stood at a moment. What could not be had is empty, and Missing says why.
type Sample struct {
	At        time.Time
	Lags      []kafka.Lag
	Processes []Process
	Redis     Redis
	PQLs      []inspect.Row // the newest
	PQLsTotal int64
	Missing   []string // a sentence each
}

// Process is what a process tells on its listener for metrics.
type Process struct {
	URL    string
	Ready  bool
	Stages []Stage
}

// Stage is what a process tells of a stage that it runs.
type Stage struct {
	Name          string
	Owned         int // partitions
	Waiting       int // of those assigned
	Records       float64
	Commits       float64 // confirmed transactions
	CommitSeconds float64 // that they took together
	Unconfirmed   float64
	DeadLetters   float64
	MirrorBacklog int // commits
	Cached        int // states
}

// Redis is what its servers tell, added up.
type Redis struct {
	Servers   int
	Used      int64 // bytes
	Limit     int64 // bytes; 0: there is none
	Clients   int64
	PerSecond int64 // commands
}

// stageSum is a stage of all processes: how it stands, and how fast it was between two samples.
type stageSum struct {
	Stage
	rate   float64       // records a second
	commit time.Duration // the mean of those between the samples, 0 without any
	lag    int64
	worst  int64 // of a partition
}

// stages adds up each stage's processes, in the order in which events pass them. before may be nil.
func (s *Sample) stages(before *Sample) []stageSum {
	var sums []stageSum
	at := map[string]int{}
	sum := func(name string) *stageSum {
		if _, known := at[name]; !known {
			at[name] = len(sums)
			sums = append(sums, stageSum{Stage: Stage{Name: name}})
		}
		return &sums[at[name]]
	}
	for _, l := range s.Lags {
		to := sum(string(l.Stage))
		to.lag += l.Records
		to.worst = max(to.worst, l.Records)
	}
	for i := range s.Processes {
		for _, stage := range s.Processes[i].Stages {
			sum(stage.Name).add(&stage)
		}
	}
	for i := range sums {
		sums[i].since(s, before)
	}
	return sums
}

func (s *stageSum) add(of *Stage) {
	s.Owned += of.Owned
	s.Waiting += of.Waiting
	s.MirrorBacklog += of.MirrorBacklog
	s.Cached += of.Cached
	s.Unconfirmed += of.Unconfirmed
	s.DeadLetters += of.DeadLetters
}

// since adds how fast the stage was since the sample before, in the processes that both have and that have not begun anew.
func (s *stageSum) since(now, before *Sample) {
	if before == nil || !now.At.After(before.At) {
		return
	}
	var records, commits, seconds float64
	for i := range now.Processes {
		p := &now.Processes[i]
		is, was := p.stage(s.Name), before.process(p.URL).stage(s.Name)
		if is == nil || was == nil || is.Records < was.Records || is.Commits < was.Commits {
			continue
		}
		records += is.Records - was.Records
		commits += is.Commits - was.Commits
		seconds += is.CommitSeconds - was.CommitSeconds
	}
	s.rate = records / now.At.Sub(before.At).Seconds()
	if commits > 0 {
		s.commit = time.Duration(seconds / commits * float64(time.Second))
	}
}

func (s *Sample) process(url string) *Process {
	for i := range s.Processes {
		if s.Processes[i].URL == url {
			return &s.Processes[i]
		}
	}
	return nil
}

// stage returns what a process tells of a stage, nil for nothing.
func (p *Process) stage(name string) *Stage {
	if p == nil {
		return nil
	}
	for i := range p.Stages {
		if p.Stages[i].Name == name {
			return &p.Stages[i]
		}
	}
	return nil
}
