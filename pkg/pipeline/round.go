package pipeline

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/rollup"
	"github.com/pqlstream/pqlstream/pkg/stream"
)

// round is what goes round with the next checkpoint.
type round struct {
	to        string
	partition int32
	parcels   map[string][]rollup.Change
	missed    map[string]int64 // by the key of the series or window
	marks     []stream.Mark    // the newest of each source
}

// missed is how much could not be counted of what was for a series or a window.
type missed struct {
	Key string `json:"key"`
	N   int64  `json:"n"`
}

func (c *round) send(parcels []rollup.Parcel) {
	if c.parcels == nil {
		c.parcels = map[string][]rollup.Change{}
	}
	for _, p := range parcels {
		c.parcels[p.Key] = append(c.parcels[p.Key], p.Changes...)
	}
}

func (c *round) miss(key string, n int64) {
	if n == 0 {
		return
	}
	if c.missed == nil {
		c.missed = map[string]int64{}
	}
	c.missed[key] += n
}

func (c *round) mark(m *stream.Mark) {
	at := slices.IndexFunc(c.marks, func(o stream.Mark) bool { return o.Topic == m.Topic && o.Partition == m.Partition })
	if at >= 0 {
		c.marks = slices.Delete(c.marks, at, at+1)
	}
	c.marks = append(c.marks, *m)
}

// flush emits all of it, time last.
func (c *round) flush(emit func(stream.Output)) {
	for _, key := range slices.Sorted(maps.Keys(c.parcels)) {
		for part := range rollup.Parts(c.parcels[key]) {
			emit(c.output(key, "", part))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(c.missed)) {
		note, _ := json.Marshal(missed{key, c.missed[key]}) // a text and a number: it can't fail
		emit(c.output(rollup.DirectoryOf(key), controlMissed, note))
	}
	for i := range c.marks {
		value, _ := json.Marshal(&c.marks[i]) // texts and numbers: it can't fail
		emit(c.output("", controlTold, value))
	}
	if len(c.parcels) > 0 {
		emit(c.output("", controlWhole, []byte{}))
	}
	c.parcels, c.missed, c.marks = nil, nil, nil
}

func (c *round) output(key, control string, value []byte) stream.Output {
	o := stream.Output{Topic: c.to, Partition: c.partition, Value: value}
	if key != "" {
		o.Key = []byte(key)
	}
	if control != "" {
		o.Headers = []kgo.RecordHeader{{Key: headerControl, Value: []byte(control)}}
	}
	return o
}
