package usage

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

const now = 1_700_000_000_000

func validEvent() Event {
	return Event{AccountID: "acme", Name: "login", OccurredAt: now}
}

func TestValidateTakes(t *testing.T) {
	long := strings.Repeat("x", MaxIDBytes)
	properties := make([]Property, MaxProperties)
	for i := range properties {
		properties[i] = Property{Key: fmt.Sprint(i), Value: StringValue(strings.Repeat("v", MaxPropertyBytes))}
	}
	for name, change := range map[string]func(*Event){
		"the least":           func(*Event) {},
		"the longest ids":     func(e *Event) { e.AccountID, e.Name, e.UserID, e.ID, e.Source = long, long, long, long, long },
		"the most properties": func(e *Event) { e.Properties = properties },
		"all kinds of values": func(e *Event) {
			e.Properties = []Property{{}, {"b", BoolValue(true)}, {"l", LongValue(math.MinInt64)}, {"d", DoubleValue(-1e300)}}
		},
		"a negative quantity":  func(e *Event) { e.Quantity = -1 },
		"1970":                 func(e *Event) { e.OccurredAt = 1 },
		"as late as tolerated": func(e *Event) { e.OccurredAt = now + 1000 },
		"text beyond ASCII":    func(e *Event) { e.AccountID, e.Name = "Zürich", "日本" },
	} {
		e := validEvent()
		change(&e)
		require.NoError(t, Validate(&e, now, 1000), name)
	}
	e := validEvent()
	e.OccurredAt = time.Date(9999, 12, 31, 23, 59, 59, 999_000_000, time.UTC).UnixMilli()
	require.NoError(t, Validate(&e, e.OccurredAt, 0))
}

func TestValidateRejects(t *testing.T) {
	long := strings.Repeat("x", MaxIDBytes+1)
	for code, tests := range map[string]map[string]func(*Event){
		CodeAccountIDMissing:  {"account_id": func(e *Event) { e.AccountID = "" }},
		CodeEventMissing:      {"event": func(e *Event) { e.Name = "" }},
		"account_id_too_long": {"account_id": func(e *Event) { e.AccountID = long }},
		"event_too_long":      {"event": func(e *Event) { e.Name = long }},
		"user_id_too_long":    {"user_id": func(e *Event) { e.UserID = long }},
		"event_id_too_long":   {"event_id": func(e *Event) { e.ID = long }},
		"source_too_long":     {"source": func(e *Event) { e.Source = long }},
		CodeNotUTF8: {
			"account_id":        func(e *Event) { e.AccountID = "a\xff" },
			"event":             func(e *Event) { e.Name = "\xc3" },
			"user_id":           func(e *Event) { e.UserID = "\xed\xa0\x80" },
			"event_id":          func(e *Event) { e.ID = "\xff" },
			"source":            func(e *Event) { e.Source = "\xff" },
			"properties.k":      func(e *Event) { e.Properties = []Property{{"k", StringValue("\xff")}} },
			`properties."\xff"`: func(e *Event) { e.Properties = []Property{{"\xff", Value{}}} },
		},
		CodeTimestampMissing:   {"occurred_at": func(e *Event) { e.OccurredAt = 0 }},
		CodeTimestampInFuture:  {"occurred_at": func(e *Event) { e.OccurredAt = now + 1001 }},
		CodeQuantityNotFinite:  {"quantity": func(e *Event) { e.Quantity = math.NaN() }},
		CodeTooManyProperties:  {"properties": func(e *Event) { e.Properties = make([]Property, MaxProperties+1) }},
		CodePropertyKeyTooLong: {"properties." + long[:64] + "...": func(e *Event) { e.Properties = []Property{{long, Value{}}} }},
		CodePropertyTooLong:    {"properties.k": func(e *Event) { e.Properties = []Property{{"k", StringValue(strings.Repeat("v", MaxPropertyBytes+1))}} }},
		CodePropertyNotFinite:  {"properties.k": func(e *Event) { e.Properties = []Property{{}, {"k", DoubleValue(math.Inf(-1))}} }},
	} {
		for field, change := range tests {
			e := validEvent()
			change(&e)
			var reject *Error
			require.ErrorAs(t, Validate(&e, now, 1000), &reject, "%s %s", code, field)
			require.Equal(t, code, reject.Code)
			require.Equal(t, field, reject.Field)
			require.True(t, strings.HasPrefix(reject.Error(), field+": "), reject.Error())
		}
	}
	for _, at := range []int64{-1, math.MinInt64, math.MaxInt64, time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()} {
		e := validEvent()
		e.OccurredAt = at
		var reject *Error
		require.ErrorAs(t, Validate(&e, math.MaxInt64, 0), &reject)
		require.Equal(t, CodeTimestampOutOfRange, reject.Code)
	}
}

// Seconds would be taken for milliseconds: some day of January to April 1970.
func TestATimeInSecondsIsNoTime(t *testing.T) {
	const now = 1_800_000_000_000
	for _, at := range []int64{1_000_000_000, 1_795_377_600, 9_999_999_999} {
		e := Event{AccountID: "a", Name: "n", OccurredAt: at}
		var reject *Error
		require.ErrorAs(t, Validate(&e, now, 0), &reject)
		require.Equal(t, CodeTimestampOutOfRange, reject.Code)
		require.ErrorContains(t, reject, "it has to be in milliseconds")
	}
	for _, at := range []int64{999_999_999, 10_000_000_000} {
		require.NoError(t, Validate(&Event{AccountID: "a", Name: "n", OccurredAt: at}, now, 0))
	}
}

func TestAFutureTimeSaysHowFarOff(t *testing.T) {
	year := Event{AccountID: "a", Name: "n", OccurredAt: 1_800_003_600_000}
	require.EqualError(t, Validate(&year, 1_800_000_000_000, 0), "occurred_at: 2027-01-15T09:00:00Z is 1h0m0s from now")
	year.OccurredAt = maxTime
	require.ErrorContains(t, Validate(&year, 0, 0), "9999-12-31T23:59:59Z is 2562047h47m16", "as far as can be said")
}

func TestValidUTF8IsThatOfTheStandardLibrary(t *testing.T) {
	parts := []string{"", "a", "abc", "abcdefg", "abcdefgh", "é", "日", "😀", "\xff", "\xc3", "\xed\xa0\x80", "\x80"}
	for _, a := range parts {
		for _, b := range parts {
			for _, c := range parts {
				for _, s := range []string{a + b + c, a + "0123456" + b + c, a + b + "0123456789abcdef" + c} {
					require.Equal(t, utf8.ValidString(s), validUTF8(s), "%q", s)
					require.Equal(t, !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }), plain(s), "%q", s)
				}
			}
		}
	}
}

func TestPlainLooksAtEveryByte(t *testing.T) {
	for n := range MaxIDBytes + 2 {
		require.Equal(t, n <= MaxIDBytes, plain(strings.Repeat("x", n)))
		for at := range min(n, 70) {
			require.False(t, plain(strings.Repeat("x", at)+"\x80"+strings.Repeat("x", n-at-1)), "%d of %d", at, n)
		}
	}
}

func TestSelection(t *testing.T) {
	var s Selection
	require.True(t, s.Empty())
	require.False(t, s.Has("a"))
	for range 2 {
		s.Add("a")
	}
	require.False(t, s.Empty())
	require.Equal(t, []string{"a"}, s.Keys)
	require.True(t, s.Has("a"))
	require.False(t, s.Has("b"))
	all := Selection{All: true}
	require.False(t, all.Empty())
	require.True(t, all.Has("b"))
}

// Where users are known by themselves, an event needs one, and all else holds.
func TestValidateOfUser(t *testing.T) {
	ev := Event{UserID: "u", Name: "login", OccurredAt: 1_700_000_000_000}
	require.NoError(t, ValidateOfUser(&ev, ev.OccurredAt, 0))
	for code, change := range map[string]func(*Event){
		CodeUserIDMissing:     func(e *Event) { e.UserID = "" },
		CodeEventMissing:      func(e *Event) { e.Name = "" },
		CodeTimestampInFuture: func(e *Event) { e.OccurredAt++ },
		"user_id_too_long":    func(e *Event) { e.UserID = strings.Repeat("u", MaxIDBytes+1) },
	} {
		bad := ev
		change(&bad)
		var wrong *Error
		require.ErrorAs(t, ValidateOfUser(&bad, ev.OccurredAt, 0), &wrong)
		require.Equal(t, code, wrong.Code)
	}
}
