package config

import "time"

// Runtime says how the stages work.
type Runtime struct {
	// How long a PQL waits for others before they are committed together; what is told of steps and activity waits for the next of these
	// commits that concerns its account, or for checkpoint_interval. More saves transactions, less makes PQLs known sooner.
	EmissionInterval time.Duration `mapstructure:"emission_interval"`
	// How often everything is committed. More writes hot accounts less often, less makes a restart repeat less.
	CheckpointInterval time.Duration `mapstructure:"checkpoint_interval"`
	// When Kafka gives up a transaction that is not ended, such as one of a process that was killed.
	TransactionTimeout time.Duration `mapstructure:"transaction_timeout"`
	// How many accounts the process keeps in memory at most; as many users where it resolves them, and of each of what metrics keep.
	CacheAccounts int `mapstructure:"cache_accounts"`
	// How much memory the accounts in it take at most, and what else it keeps: beside accounts, who get three parts, users get one, and
	// each of the two stages of metrics. The process needs about as much again for garbage, and 150 MB for
	// what is under way: give the cache a third of the container's memory limit. One that exceeds the limit is refused at
	// start. The garbage collector keeps within nine tenths of the container's limit, unless GOMEMLIMIT is set.
	CacheMemory Bytes `mapstructure:"cache_memory"`
	// How far events may be out of order. Later ones still count, and what they lead to is marked late. What waits for time, such
	// as the end of a trial, happens so much later.
	AllowedDisorder time.Duration `mapstructure:"allowed_disorder"`
	// How far in the future an event may lie; beyond, it becomes a dead letter.
	FutureTolerance time.Duration `mapstructure:"future_tolerance"`
	// How long a stop may take before the process gives up finishing its work. Nothing is lost either way.
	ShutdownTimeout time.Duration `mapstructure:"shutdown_timeout"`
	// Old events are being published: mark all PQL events as a replay, for consumers that should not act on them, and let
	// time pass by the events alone, also where none comes for a while.
	Replay bool `mapstructure:"replay"`
}

func (r *Runtime) validate(p *Problems, at string) {
	const day = 24 * time.Hour
	between(p, at+".transaction_timeout", r.TransactionTimeout, time.Second, 15*time.Minute)
	between(p, at+".checkpoint_interval", r.CheckpointInterval, 10*time.Millisecond, time.Minute)
	if r.CheckpointInterval > r.TransactionTimeout/2 {
		p.add(at+".checkpoint_interval", "%v is more than half of transaction_timeout, %v", r.CheckpointInterval, r.TransactionTimeout)
	}
	between(p, at+".emission_interval", r.EmissionInterval, time.Millisecond, time.Minute)
	if r.EmissionInterval > r.CheckpointInterval {
		p.add(at+".emission_interval", "%v is more than checkpoint_interval, %v", r.EmissionInterval, r.CheckpointInterval)
	}
	between(p, at+".cache_accounts", r.CacheAccounts, 1, 1<<31-1)
	between(p, at+".cache_memory", r.CacheMemory, 1<<20, 1<<50)
	between(p, at+".allowed_disorder", r.AllowedDisorder, 0, 365*day)
	between(p, at+".future_tolerance", r.FutureTolerance, 0, 365*day)
	between(p, at+".shutdown_timeout", r.ShutdownTimeout, 100*time.Millisecond, time.Hour)
}
