package inspect

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"

	"github.com/cespare/xxhash/v2"

	"github.com/pqlstream/pqlstream/pkg/state"
)

// cursors are text that goes into an address as it is: what query it is of, as a hash, and the place behind which it goes on.
var cursors = base64.RawURLEncoding

// fingerprint tells queries apart. The pages of one may differ in size, and be asked for at different times.
func (q *Query) fingerprint() uint32 {
	text, _ := json.Marshal([]any{q.List, q.Tier, q.Segment, q.Playbook, q.Since, q.Until, q.Oldest}) // text and numbers always can
	return uint32(xxhash.Sum64(text))
}

func (q *Query) cursorAfter(p state.Place) string {
	b := binary.BigEndian.AppendUint32(nil, q.fingerprint())
	return cursors.EncodeToString(append(binary.AppendVarint(b, p.Score), p.Key...))
}

// place is where the cursor goes on. ErrQuery.
func (q *Query) place() (*state.Place, error) {
	b, err := cursors.DecodeString(q.Cursor)
	if err != nil || len(b) < 4 {
		return nil, fmt.Errorf("%w: cursor: it is not one of ours", ErrQuery)
	}
	if binary.BigEndian.Uint32(b) != q.fingerprint() {
		return nil, fmt.Errorf("%w: cursor: it belongs to a query with another filter or order", ErrQuery)
	}
	score, n := binary.Varint(b[4:])
	if n <= 0 {
		return nil, fmt.Errorf("%w: cursor: it is not one of ours", ErrQuery)
	}
	return &state.Place{Key: string(b[4+n:]), Score: score}, nil
}
