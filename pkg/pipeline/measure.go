package pipeline

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/rollup"
	"github.com/pqlstream/pqlstream/pkg/stream"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// Measure folds facts into the histories of their accounts, and tells by how much that changes what they contribute to metrics.
type Measure struct {
	Settings rollup.Settings
	Facts    Topic // its input
	Rollup   Topic
	Started  int64 // when the process was started, ms since the Unix epoch
}

// Processor returns the processor of one task. Its error is that of the settings.
func (m *Measure) Processor(_ string, partition int32) (stream.Processor, error) {
	counts, err := rollup.NewMeasure(&m.Settings)
	return &measure{Measure: m, partition: partition, counts: counts}, err
}

// measure is the processor of one task.
type measure struct {
	*Measure
	partition int32
	counts    *rollup.Measure
	facts     []rollup.Fact // decoded
}

// CodeHistory is the code of facts that an account's history has no room for.
const CodeHistory = "history_too_large"

// maxHistory is how large a history may be, in bytes, that takes in another fact: behind that it still fits a record of the
// changelog, so that nothing of what was counted is ever taken back. Only dimensions whose texts take kilobytes come near.
const maxHistory = 800_000

func (m *measure) Decode(i int, r *kgo.Record) (stream.Route, error) {
	for len(m.facts) <= i {
		m.facts = append(m.facts, rollup.Fact{})
	}
	if mark, err := markOf(r); mark != nil || err != nil {
		return stream.Route{Mark: mark}, err
	}
	f := &m.facts[i]
	err := rollup.DecodeFact(f, r.Value)
	if err == nil && (len(r.Key) == 0 || !utf8.Valid(r.Key)) {
		err = errors.New("its key is no account's id")
	}
	if err != nil {
		return stream.Route{}, &stream.Reject{Code: usage.CodeUndecodable, Err: err}
	}
	return stream.Route{Key: r.Key, EventTime: f.OccurredAt}, nil
}

func (m *measure) NewState(string, int64) stream.State { return new(rollup.History) }

func (m *measure) LoadState(key string, value []byte) (stream.State, error) {
	h, err := rollup.LoadHistory(value)
	if err != nil {
		return nil, fmt.Errorf("loading the history of account %q: %w", key, err)
	}
	return h, nil
}

func (m *measure) Fold(i int, t *stream.Turn) error {
	f, h := &m.facts[i], t.State.(*rollup.History)
	if ends := f.Type == string(account.Merged) || f.Type == string(account.Erased); h.Size() > maxHistory && !ends {
		return &stream.Reject{Code: CodeHistory, Err: fmt.Errorf("the history of the account takes %d bytes already", h.Size())}
	}
	switch {
	case !m.counts.Fold(h, f):
	case h.Empty():
		t.Delete()
	default:
		t.Changed()
	}
	return nil
}

// Flush implements stream.Flusher: what was gathered goes to the groupings. Of several batches for one grouping each says whose they are,
// and whether it is the last.
func (m *measure) Flush(_ int64, emit func(stream.Output)) {
	var held stream.Output // the newest batch
	send := func(header string) {
		if header != "" {
			held.Headers = []kgo.RecordHeader{{Key: header, Value: strconv.AppendInt(nil, int64(m.partition), 10)}}
		}
		if held.Key != nil {
			emit(held)
		}
	}
	several := ""
	m.counts.Flush(func(grouping string, batch []byte) {
		key := []byte(rollup.DirectoryKey(grouping))
		if bytes.Equal(key, held.Key) {
			send(headerMore)
			several = headerLast
		} else {
			send(several)
			several = ""
		}
		held = stream.Output{Topic: m.Rollup.Name, Partition: m.Rollup.partition(key), Key: key, Value: batch}
	})
	send(several)
}

// The headers of batches that a checkpoint has several of, with measure's partition.
const (
	headerMore = "pqlstream-more"
	headerLast = "pqlstream-last"
)

// Tell implements stream.TimeTeller: what all facts up to a watermark contribute has been told.
func (m *measure) Tell(watermark int64, _ bool) []stream.Output {
	return marks(m.Rollup, stream.Mark{
		Topic: m.Facts.Name, Partition: m.partition, Watermark: watermark, AsOf: m.Started, Sources: []stream.Source{m.Facts.source()},
	})
}
