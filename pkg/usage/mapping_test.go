package usage

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParsePath(t *testing.T) {
	for text, want := range map[string]Path{
		`a`: {"a"}, `context.groupId`: {"context", "groupId"}, `a\.b.c\\`: {"a.b", `c\`}, `Zürich.日`: {"Zürich", "日"},
	} {
		got, err := ParsePath(text)
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.Equal(t, text, got.String())
	}
	for _, text := range []string{``, `.`, `a.`, `.a`, `a..b`, `a\`, `a\b`} {
		_, err := ParsePath(text)
		require.Error(t, err, text)
	}
}

func TestParseMapping(t *testing.T) {
	m, err := ParseMapping(nil)
	require.NoError(t, err)
	require.Equal(t, DefaultMapping(), m)

	m, err = ParseMapping(map[string]string{
		"account_id": "context.groupId", "user_id": "", "properties": "traits", "properties.plan": "context.plan", "properties.a.b": "x",
	})
	require.NoError(t, err)
	want := DefaultMapping()
	want.AccountID, want.UserID, want.Properties = Path{"context", "groupId"}, nil, Path{"traits"}
	want.Single = []PropertyPath{{Key: "a.b", Path: Path{"x"}}, {Key: "plan", Path: Path{"context", "plan"}}}
	require.Equal(t, want, m)
}

func TestParseMappingSaysAllThatIsWrong(t *testing.T) {
	_, err := ParseMapping(map[string]string{
		"account_id": "", "event": "a..b", "occured_at": "ts", "received_at": "r", "properties.": "x", "properties.y": "",
		"properties." + strings.Repeat("k", 257): "z", "user_id": `a\b`,
	})
	require.Error(t, err)
	for _, line := range []string{
		"event: a name in the path is empty",
		"occured_at: is not a field of a usage event; those are event_id, account_id, ",
		"properties.y: needs a path",
		"received_at: is not a field",
		`user_id: a backslash must be followed by a dot or a backslash`,
		"account_id: needs a path",
		"properties.: the key must have 1 to 256 bytes",
		"properties." + strings.Repeat("k", 64) + "...: the key must have 1 to 256 bytes",
	} {
		require.ErrorContains(t, err, line)
	}
	require.Len(t, strings.Split(err.Error(), "\n"), 8, "each is said once: %v", err)
}

func TestMappingValidate(t *testing.T) {
	require.NoError(t, new(CanonicalMapping()).Validate())
	m := Mapping{
		Event: Path{"a", ""}, ReceivedAt: Path{""},
		Single: []PropertyPath{{Key: "k", Path: Path{"a"}}, {Key: "k", Path: Path{"b"}}, {Key: "l"}, {Key: "m", Path: Path{""}}},
	}
	require.EqualError(t, m.Validate(), strings.Join([]string{
		"event: a name in the path is empty",
		"account_id: needs a path",
		"occurred_at: needs a path",
		"received_at: a name in the path is empty",
		"properties.k: is mapped twice",
		"properties.l: needs a path",
		"properties.m: a name in the path is empty",
	}, "\n"))
	m = DefaultMapping()
	m.Single = make([]PropertyPath, MaxProperties+1)
	require.ErrorContains(t, m.Validate(), "257 single properties are mapped, at most 256 are allowed")
}

// What the reader knows by itself needs no path, all else does.
func TestGivenFieldsNeedNoPath(t *testing.T) {
	fields := map[string]string{"account_id": "", "event": "", "occurred_at": ""}
	_, err := ParseMapping(fields, FieldEvent, FieldAccountID)
	require.EqualError(t, err, "occurred_at: needs a path")
	m, err := ParseMapping(fields, FieldEvent, FieldAccountID, FieldOccurredAt)
	require.NoError(t, err)
	require.Empty(t, m.AccountID)
	require.Equal(t, Path{"properties"}, m.Properties)
}
