package stream

import "time"

// Witness is a Processor that is told when what it has emitted was published, or that it may not have been.
type Witness interface {
	Processor
	// Cut is called when a commit takes out what has been emitted since the last one, between two calls of Fold. One that is no checkpoint
	// may leave lazy outputs for a later one. What it returns is called when the commit is over; nil: this one need not be told. That call
	// comes from another goroutine, and holds all commits of the process up.
	Cut(checkpoint bool) func(Outcome)
}

// Outcome is what became of a commit.
type Outcome struct {
	Began, Ended time.Time // of its transaction
	Checkpoint   bool      // it moves the task's offset on
	Err          error     // nil: it is confirmed. Otherwise the records may be there or not, and the task takes its partition over
}

// tell tells a witness what became of a part of a commit.
func (p *part) tell(began time.Time, err error) {
	if p.witness != nil {
		p.witness(Outcome{Began: began, Ended: time.Now(), Checkpoint: p.full, Err: err})
	}
}
