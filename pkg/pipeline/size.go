package pipeline

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/pqlstream/pqlstream/pkg/stream"
)

// maxRecord is what key, value and headers of a record may take, in bytes: the client refuses a batch of over 1,000,012, and a record that is
// refused ends the process, at each start anew. What other stages write has bounds below that of its own; what is sent on grows on its way.
const maxRecord = 990_000

// headerOverhead is the most that the lengths of a header's key and value take.
const headerOverhead = 10

// fits says whether an output can be written. Its error is a Reject.
func fits(o *stream.Output) error {
	size := len(o.Key) + len(o.Value)
	for i := range o.Headers {
		size += headerOverhead + len(o.Headers[i].Key) + len(o.Headers[i].Value)
	}
	if size <= maxRecord {
		return nil
	}
	return &stream.Reject{Code: CodeTooLarge, Err: fmt.Errorf("what is to be sent on to %s takes %d bytes, at most %d are possible", o.Topic, size, maxRecord)}
}

// plainJSON encodes texts and numbers. It leaves <, > and & as they are: escaped for HTML, ids of them would take six times as much.
func plainJSON(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // it can't fail
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
