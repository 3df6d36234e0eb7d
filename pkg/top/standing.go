package top

// Standing is how a stage stands in all processes together, as programs read it.
type Standing struct {
	Stage         string   `json:"stage"`
	Owned         int      `json:"owned"`   // partitions
	Waiting       int      `json:"waiting"` // of those assigned
	Lag           int64    `json:"lag"`     // records
	WorstLag      int64    `json:"worst_lag"`
	PerSecond     float64  `json:"records_per_second"`
	CommitSeconds *float64 `json:"commit_seconds"` // the mean of those between the samples; null: there were none
	MirrorBacklog int      `json:"mirror_backlog"` // commits
	Cached        int      `json:"cached"`         // states
	DeadLetters   int64    `json:"dead_letters"`   // since the processes began
	Redone        int64    `json:"redone"`         // transactions that were not confirmed, since the processes began
}

// Stages says how each stage stands, in the order in which events pass them. Rates come from the two samples.
func Stages(before, now *Sample) []Standing {
	all := []Standing{}
	for _, s := range now.stages(before) {
		st := Standing{
			Stage: s.Name, Owned: s.Owned, Waiting: s.Waiting, Lag: s.lag, WorstLag: s.worst, PerSecond: s.rate, MirrorBacklog: s.MirrorBacklog,
			Cached: s.Cached, DeadLetters: int64(s.DeadLetters), Redone: int64(s.Unconfirmed),
		}
		if s.commit > 0 {
			st.CommitSeconds = new(s.commit.Seconds())
		}
		all = append(all, st)
	}
	return all
}
