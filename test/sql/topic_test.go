package sql_test

import (
	"bufio"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/codec"
	"github.com/pqlstream/pqlstream/pkg/rollup"
)

// topic is pql.lifecycle, once in JSON, exported to a file, and once in Avro, of which metrics are made.
type topic struct {
	t      *testing.T
	json   *codec.FactEncoder
	avro   *codec.FactEncoder
	file   *os.File
	export *bufio.Writer
	offset int64           // of the newest fact, counted from 1
	older  map[string]bool // accounts of which facts now tell an earlier sign-up
	buffer []byte
}

// partitions is in how many the accounts lie.
const partitions = 4

func newTopic(t *testing.T, path string) *topic {
	o := &topic{t: t, older: map[string]bool{}}
	var err error
	o.json, err = codec.NewFactEncoder(codec.JSON, 0)
	require.NoError(t, err)
	o.avro, err = codec.NewFactEncoder(codec.Avro, 1)
	require.NoError(t, err)
	o.file, err = os.Create(path)
	require.NoError(t, err)
	o.export = bufio.NewWriterSize(o.file, 1<<20)
	return o
}

// write appends a fact, and returns what a reader of the topic finds, as metrics see it.
func (o *topic) write(f *account.Fact) (partition int, read rollup.Fact) {
	o.offset++
	partition = number(f.AccountID) % partitions
	o.vary(f)
	o.buffer = o.json.AppendFact(o.buffer[:0], f, codec.Detection{})
	_, err := fmt.Fprintf(o.export, "{\"partition\":%d,\"offset\":%d,\"fact\":%s}\n", partition, o.offset, o.buffer)
	require.NoError(o.t, err)

	o.buffer = o.avro.AppendFact(o.buffer[:0], f, codec.Detection{})
	decoded, _, err := codec.DecodeFact(o.buffer)
	require.NoError(o.t, err)
	o.buffer = factOf(&decoded).AppendBinary(o.buffer[:0])
	require.NoError(o.t, rollup.DecodeFact(&read, append([]byte{}, o.buffer...)))
	return partition, read
}

// vary makes of some facts what package account doesn't make, but may once: other reasons, and sign-ups that were earlier than told.
func (o *topic) vary(f *account.Fact) {
	if f.Reason != "" && o.offset%50 == 0 {
		f.Reason = []account.Reason{"", "paused"}[o.offset/50%2]
	}
	switch f.Type {
	case account.Absorbed:
		o.older[f.AccountID] = true
	case account.Merged, account.Erased:
		delete(o.older, f.AccountID)
	}
	if o.older[f.AccountID] && f.SignedUpAt != 0 {
		f.SignedUpAt -= 10 * day
	}
}

// factOf is what metrics read of a fact. The dimensions are those of the checklist.
func factOf(f *account.Fact) *rollup.Fact {
	r := &rollup.Fact{
		Type: string(f.Type), Reason: string(f.Reason), Step: f.Step, OccurredAt: f.OccurredAt, SignedUpAt: f.SignedUpAt, Rate: f.Rate,
		HoldOut: f.HoldOut, Excluded: f.Excluded, Late: f.Late, Merge: f.Cause == account.ByMerge, Tier: f.Tier, Segments: f.Segments,
		Checklist: f.Checklist.Version,
	}
	for _, p := range f.Properties {
		if p.Key == "plan" || p.Key == "country" {
			r.Dimensions = append(r.Dimensions, rollup.Dim{Name: p.Key, Value: p.Value.Str()})
		}
	}
	return r
}

func (o *topic) close() {
	require.NoError(o.t, o.export.Flush())
	require.NoError(o.t, o.file.Close())
}
