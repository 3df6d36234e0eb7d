package checklist

// Bytes that parts of an account's encoded state (schemas/account_state.avsc) can take at most. Package account's
// tests hold its encoding against them.
const (
	maxState = 890_000 // a changelog record has to stay below the broker's megabyte, and below the runtime's limit

	varintBound   = 10
	numberBound   = 11                  // a branch and a long or a double
	arrayBound    = 4                   // count and end of an array of up to a million
	textBound     = 2 + 256             // an id or a name
	indexBound    = 3                   // into an array of up to a million
	dayBound      = 5                   // a day of a working set
	countedBound  = 5 + 5               // with its number of events
	idBound       = 1 + maxDigest       // a value of a distinct step: a text up to maxKept, or a digest
	workBound     = 4 + 3               // the step and the size of its working set
	momentBound   = 2 + varintBound + 4 // with the step of one undone
	evidenceBound = 1 + varintBound + 4 + indexBound + 1 + textBound + indexBound + 5 + varintBound + numberBound +
		2*textBound + 2 // the user and the topic
	headBound     = 1 + 7*varintBound + 7*arrayBound
	propertyBound = 4 + varintBound + 1 + textBound
	userBound     = textBound + 2*varintBound + (2 + MaxRole) + (1 + MaxSteps/8 + 1)
	stepKeyBound  = 4 // what a bit of a user's steps stands for
	seenBound     = 8 + 6

	// History is how many of an account's newest transitions are kept, beside its sign-up and the steps done.
	History = 50
)

func (c *Checklist) stateBound() int {
	n := headBound + (History+1)*momentBound + c.users*userBound + len(c.properties)*propertyBound
	if c.horizon > 0 {
		n += (c.remembered + c.remembered/8 + 1) * seenBound // those to be forgotten go some at a time
	}
	if c.users > 0 {
		n += len(c.steps) * stepKeyBound
	}
	if c.life.trialEnd != nil {
		n += c.life.trialEnd.traits.bound
	}
	for i := range c.steps { // a step is either done or at work, if it is not live
		n += c.steps[i].bound()
	}
	return n
}
