// Package oracle says what pqlstream has to make of a stream of events, under a checklist of test/testdata, in as
// plain a way as possible: one loop over the events, everything in memory, the rules as ordinary code.
//
// It is written from the documentation and shares nothing with the packages that it is to judge, neither checklist nor
// account: an error would have to be made twice to stay unseen. Only the event's type is the product's.
package oracle

import (
	"encoding/binary"

	"github.com/google/uuid"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

// Position is where a record lies in Kafka.
type Position struct {
	Topic     string
	Partition int32
	Offset    int64
}

// Record is an event with where the activation stage reads it, and where it came from: the same, unless ingest has
// written it to another topic.
type Record struct {
	Event     *usage.Event
	Partition int32
	Offset    int64
	Source    Position
	Until     int64 // how far time had come in Source's partition when it was read there, ms; 0: ingest has not read it
}

// Fact is one transition that has to be published.
type Fact struct {
	ID           string
	Type         string
	AccountID    string
	Step         string // of a step_done, step_undone or near_miss
	Tier         string
	Rate         float64
	Threshold    float64
	StepsDone    []Done
	StepsMissing []Missing
	Cause        string // event, timer, merge or erasure
	Related      string // of a merged or absorbed, the other account
	Detail       string // what sales gives as a reason
	EventID      string // of the event that made it
	EventName    string
	UserID       string
	Position     Position
	Late         bool
	Reason       string
	OccurredAt   int64 // event time, ms
	SignedUpAt   int64
	QualifiedAt  int64
	Current      bool
	SingleUser   bool
	Excluded     bool
	HoldOut      bool
	PartlyErased bool
}

// Done is a step done, and by what.
type Done struct {
	Step     string
	DoneAt   int64
	UserID   string
	EventID  string
	Position Position
	Count    float64
}

// Summary is what an account has to look like in the end.
type Summary struct {
	AccountID    string
	Incarnation  int64
	Ordinal      int64
	Tier         string
	Rate         float64
	StepsDone    []Done
	StepsMissing []Missing
	Users        map[string]User
	SignedUpAt   int64
	QualifiedAt  int64
	Current      bool
	Excluded     bool
	Converted    bool
	Escalated    bool
	Silent       bool
	Barred       bool
	CompanySize  usage.Value
	Domain       usage.Value
	Plan         usage.Value
	Beta         usage.Value
	SingleUser   bool
	PartlyErased bool
	MergedInto   string
	Erased       bool
}

// Missing is a step not done yet, and how far it is: 0 to below 1.
type Missing struct {
	Step     string
	Progress float64
}

// User is how active somebody was.
type User struct {
	Events   int64
	LastSeen int64
}

// Oracle folds records. Fold is to be called in the order of each partition.
type Oracle struct {
	Facts   []Fact          // in the order of their making
	Current map[string]Fact // by account: the newest standing of those that are PQLs

	accounts map[string]*account
	newest   map[int32]int64 // highest event time of each partition, ms
	clocks   map[int32]*clock

	sent    map[string][]*message // what accounts have sent one another, and has not been read yet
	holding map[string]bool       // the accounts that messages wait for

	throughIngest, wholeLife bool
}

// New returns an Oracle that has seen nothing, for test/testdata/checklist.yaml.
func New() *Oracle {
	return &Oracle{
		Current: map[string]Fact{}, accounts: map[string]*account{}, newest: map[int32]int64{}, clocks: map[int32]*clock{},
		sent: map[string][]*message{}, holding: map[string]bool{},
	}
}

// OfLife returns an Oracle for test/testdata/life.yaml, by which time alone changes accounts. Settle is to be called in the
// end.
func OfLife() *Oracle {
	o := New()
	o.wholeLife = true
	return o
}

// factIDs is the namespace of fact ids: they are a promise to consumers, so it never changes.
var factIDs = uuid.MustParse("6f0a3c52-8d1e-4f57-9a64-c1d7e2b85b90")

// factID is the UUID v5 of an account's id, incarnation and the fact's ordinal.
func factID(account string, incarnation, ordinal int64) string {
	name := append([]byte(account), 0)
	name = binary.BigEndian.AppendUint64(name, uint64(incarnation))
	name = binary.BigEndian.AppendUint64(name, uint64(ordinal))
	return uuid.NewSHA1(factIDs, name).String()
}

// Accounts are all accounts as they are at a time, in ms.
func (o *Oracle) Accounts(at int64) map[string]Summary {
	all := make(map[string]Summary, len(o.accounts))
	for id, a := range o.accounts {
		all[id] = a.summary(at)
	}
	return all
}

// Events are the facts for those who act on leads.
func (o *Oracle) Events() (facts []Fact) {
	for _, f := range o.Facts {
		switch f.Type {
		case "qualified", "requalified", "escalated", "disqualified", "converted", "near_miss":
			if !f.HoldOut {
				facts = append(facts, f)
			}
		}
	}
	return facts
}
