package state

// Listing says where an entity is on a list: entities are ordered by score, those of equal scores by key.
type Listing struct {
	List  string
	Score int64 // between -MaxScore and MaxScore
}

// MaxScore is the largest number that stores keep exactly as a score.
const MaxScore = 1 << 53

// Place is a place on a list.
type Place struct {
	Key   string
	Score int64
}

// Slice asks for a part of a list: some of the places whose scores are within bounds, in the order of the list or in the reverse.
type Slice struct {
	List     string
	From, To int64  // scores, both included
	Reverse  bool   // the highest score first, and of equal scores the greatest key
	After    *Place // in the order asked for; the place itself need not be there any more. nil: from the beginning
	Limit    int    // places at most
}
