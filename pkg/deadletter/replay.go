package deadletter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/kafka"
)

// ErrNone says that there is no letter of an id.
var ErrNone = errors.New("there is no such dead letter")

// Replay is what is sent again, and what is not. It holds all of it in memory.
type Replay struct {
	Selected int       // letters that were asked for
	Refused  []Refusal // of these, those that can't be sent again
	Foreign  int       // records of the topic that are no dead letters

	letters []*Letter // that can be sent, in the order of their records
	at      *deployment
	client  *kgo.Client
}

// Refusal is a letter that can't be sent again.
type Refusal struct {
	Letter *Letter
	Why    error
}

// NewClient returns a client for Prepare and what follows.
func NewClient(c config.Kafka, log *slog.Logger) (*kgo.Client, error) {
	return kafka.NewClient(c, log, kgo.RecordPartitioner(kgo.ManualPartitioner()))
}

// Prepare finds the letters that a query asks for and says which of their records can be sent again: to where they came from, or to another
// topic. It sends nothing. ErrNone. read is told how many records were read.
func Prepare(ctx context.Context, client *kgo.Client, c *config.Config, q Query, to string, read func(records int)) (*Replay, error) {
	var selected []*Letter
	newest := map[string]*Letter{} // of those about records that were sent again, by the first letter
	foreign, err := each(ctx, client, c.TopicNames().DeadLetters, read, func(l *Letter) {
		if q.takes(l) {
			selected = append(selected, l)
		}
		if of := l.Replays(); of != "" && (newest[of] == nil || newestFirst(l, newest[of]) < 0) {
			newest[of] = l
		}
	})
	if err != nil {
		return nil, err
	}
	for _, id := range q.IDs {
		if !slices.ContainsFunc(selected, func(l *Letter) bool { return l.ID() == id }) {
			return nil, fmt.Errorf("%w: %s, by all that was asked for", ErrNone, id)
		}
	}
	r := &Replay{Selected: len(selected), Foreign: foreign, at: newDeployment(c, to), client: client}
	if err := r.at.lookUp(ctx, client, selected); err != nil {
		return nil, err
	}
	r.sort(selected, newest)
	return r, nil
}

// sort tells apart what can be sent. Of the letters about one record only the newest is: otherwise one that failed again would be sent twice.
func (r *Replay) sort(selected []*Letter, newest map[string]*Letter) {
	slices.SortFunc(selected, byPosition)
	for _, l := range selected {
		why := r.at.refusal(l)
		if again := newest[l.first()]; again != nil && again.ID() != l.ID() {
			why = fmt.Errorf("its record was sent again and failed again: %s is the letter now (%s)", again.ID(), again.Reason)
		}
		if why != nil {
			r.Refused = append(r.Refused, Refusal{l, why})
			continue
		}
		r.letters = append(r.letters, l)
	}
}

// Letters are those that can be sent, in the order of their records.
func (r *Replay) Letters() []*Letter { return r.letters }

// Target is the topic that a letter's record is sent to.
func (r *Replay) Target(l *Letter) string { return r.at.target(l) }

// batch is how many records are sent before it is looked what became of them.
const batch = 500

// Send sends the records and returns how many have arrived. After an error some may have: those that it tells of, and at most a batch of those
// that it does not. progress is told how many of how many have.
func (r *Replay) Send(ctx context.Context, progress func(done, of int)) (sent int, err error) {
	for some := range slices.Chunk(r.letters, batch) {
		records := make([]*kgo.Record, len(some))
		for i, l := range some {
			records[i] = r.record(l)
		}
		for _, result := range r.client.ProduceSync(ctx, records...) {
			if result.Err == nil {
				sent++
			} else if err == nil {
				err = fmt.Errorf("sending to topic %s: %w", result.Record.Topic, result.Err)
			}
		}
		if err != nil {
			return sent, err
		}
		progress(sent, len(r.letters))
	}
	return sent, nil
}

// record is the record as it was, timestamp included, with a header that says what it is.
func (r *Replay) record(l *Letter) *kgo.Record {
	headers := slices.Clone(l.Headers)
	if l.Replays() == "" {
		headers = append(headers, kgo.RecordHeader{Key: HeaderReplayed, Value: []byte(l.ID())})
	}
	return &kgo.Record{
		Topic: r.at.target(l), Partition: r.at.partition(l), Timestamp: time.UnixMilli(l.Timestamp), Key: l.Key, Value: l.Value, Headers: headers,
	}
}
