package codec

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/avro"

	"github.com/pqlstream/pqlstream/pkg/account"
)

// earlierFactSchema is one that knows of no causes, no owners and no rates of users.
func earlierFactSchema(t *testing.T) *avro.Schema {
	t.Helper()
	text, err := os.ReadFile("../../schemas/testdata/pql_event.1.avsc")
	require.NoError(t, err)
	s, err := avro.Parse(string(text))
	require.NoError(t, err)
	return s
}

// readAs decodes Avro binary that one schema wrote by another.
func readAs(t *testing.T, writer, reader *avro.Schema, binary []byte) (w wireFact) {
	t.Helper()
	resolved, err := avro.Resolve(writer, reader)
	require.NoError(t, err)
	rest, err := resolved.Decode(binary, &w)
	require.NoError(t, err)
	require.Empty(t, rest)
	return w
}

// TestFactsOfBothAgesAreRead has a consumer with the earlier schema read today's fact, and one with today's read what the
// earlier schema wrote. Both see the whole of what the earlier one had, and the defaults of what came since.
func TestFactsOfBothAgesAreRead(t *testing.T) {
	now, then := factSchema(), earlierFactSchema(t)
	today := newFactEncoder(t, AvroBody).AppendFact(nil, testFact(), testDetection)
	whole := readAs(t, now, now, today)

	byEarlier := readAs(t, now, then, today)
	assert.Equal(t, withoutNews(whole, ""), byEarlier)

	earlier, err := then.AppendEncode(nil, &byEarlier)
	require.NoError(t, err)
	assert.Less(t, len(earlier), len(today))
	assert.Equal(t, withoutNews(whole, string(account.ByEvent)), readAs(t, then, now, earlier),
		"before there were causes, events were")
}

// withoutNews leaves out what the earlier schema has not, except for a cause.
func withoutNews(w wireFact, cause string) wireFact {
	w.Cause, w.Activated, w.Champion, w.Excluded, w.Detail = cause, 0, "", false, ""
	w.Related, w.PartlyErased = "", false
	w.Playbook.Owner, w.Playbook.Message = "", ""
	w.Users = append([]wireUser(nil), w.Users...)
	for i := range w.Users {
		u := &w.Users[i]
		u.Rate, u.Activated, u.Role = 0, false, ""
	}
	return w
}
