package checklist

// Bytes that parts of an account's encoded state (schemas/account_state.avsc) can take at most. Package account's
// tests hold its encoding against them.
const (
	maxState = 890_000 // a changelog record has to stay below the broker's megabyte, and below the runtime's limit

	varintBound   = 10
	numberBound   = 11      // a branch and a long or a double
	arrayBound    = 4       // count and end of an array of up to a million
	textBound     = 2 + 256 // an id or a name
	indexBound    = 3       // into an array of up to a million
	dayBound      = 5 + 5   // of Work.Days
	idBound       = 2 + 71  // of Work.IDs: a text up to maxKept, or a digest
	workBound     = 4 + numberBound + 2*arrayBound
	evidenceBound = 4 + varintBound + indexBound + 1 + textBound + indexBound + 5 + varintBound + numberBound +
		2*textBound // the user's id and the topic in the table of names
	headBound     = 1 + 7*varintBound + 8*arrayBound
	propertyBound = 4 + varintBound + 1 + textBound
	userBound     = indexBound + 2*varintBound + textBound
	seenBound     = 8 + varintBound
	momentBound   = 1 + varintBound + indexBound

	// History is how many of an account's newest transitions are kept.
	History = 50
)

func (c *Checklist) stateBound() int {
	n := headBound + History*momentBound + c.users*userBound + len(c.properties)*propertyBound
	if c.horizon > 0 {
		n += c.remembered * seenBound
	}
	for i := range c.steps { // a step is either done or at work
		n += max(evidenceBound, c.steps[i].rule.traits().bound)
	}
	return n
}
