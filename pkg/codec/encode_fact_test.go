package codec

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/linkedin/goavro/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/usage"
	"github.com/pqlstream/pqlstream/schemas"
)

func testFact() *account.Fact {
	return &account.Fact{
		ID: "6ba7b810-9dad-51d1-80b4-00c04fd430c8", Type: account.Qualified, AccountID: "acme",
		Properties: []usage.Property{
			{Key: "company_size", Value: usage.LongValue(120)},
			{Key: "domain", Value: usage.StringValue("acme.example")},
			{Key: "is_test", Value: usage.BoolValue(false)},
			{Key: "mrr", Value: usage.DoubleValue(99)},
			{Key: "owner"},
		},
		Segments: []string{"tier=medium", "all"}, Tier: "medium", Rate: 0.75, Threshold: 0.6,
		Checklist: account.ChecklistRef{Name: "default", Version: 4, Hash: "00ff"}, Step: "invited_team",
		StepsDone: []account.Evidence{
			{Step: "first_project", DoneAt: testTime - 5000, UserID: "ann", EventID: "e-1",
				Position: account.Position{Topic: "usage", Partition: 3, Offset: 41}, Count: 1},
			{Step: "invited_team", DoneAt: testTime, UserID: "bob", EventID: "e-2",
				Position: account.Position{Topic: "usage", Partition: 3, Offset: 1 << 40}, Count: 3},
		},
		StepsMissing: []account.Missing{{Step: "weekly_habit", Progress: 1.0 / 3, Need: "2 more days"}},
		EventID:      "e-2", EventName: "invite_accepted", UserID: "bob",
		Position: account.Position{Topic: "usage", Partition: 3, Offset: 1 << 40},
		Playbook: account.Playbook{Name: "guided-trial", Action: "offer a call", Queue: "sales-eu", Owner: "eve",
			Message: "guide.setup", Reason: "it grows"},
		Users: []account.UserActivity{
			{ID: "ann", Events: 17, LastSeen: testTime - 10, StepsDone: 1, Rate: 0.75, Activated: true, Role: "admin"},
			{ID: "bob", Events: 2, LastSeen: testTime, StepsDone: 2, Rate: 1, Activated: true, Role: "viewer"},
		},
		Cause: account.ByEvent, ActiveUsers7d: 2, Activated: 3, Champion: "bob", SingleUser: true, Late: true,
		Reason: account.Excluded, Detail: "too small", HoldOut: true, Excluded: true, OccurredAt: testTime, SignedUpAt: testTime - 86_400_000, QualifiedAt: testTime, Current: true,
		Related: "acme-old", PartlyErased: true,
	}
}

var testDetection = Detection{DetectedAt: testTime + 42, Replay: true, Backfill: true}

func newFactEncoder(t testing.TB, f Format) *FactEncoder {
	t.Helper()
	enc, err := NewFactEncoder(f, testID)
	require.NoError(t, err)
	return enc
}

func nativeFact(f *account.Fact, d Detection) map[string]any {
	segments, done, missing, users := []any{}, []any{}, []any{}, []any{}
	for _, s := range f.Segments {
		segments = append(segments, s)
	}
	for _, s := range f.StepsDone {
		done = append(done, map[string]any{
			"id": s.Step, "done_at": nativeMillis(s.DoneAt), "user_id": s.UserID, "event_id": s.EventID,
			"source_topic": s.Position.Topic, "source_partition": s.Position.Partition, "source_offset": s.Position.Offset,
			"count": s.Count,
		})
	}
	for _, s := range f.StepsMissing {
		missing = append(missing, map[string]any{"id": s.Step, "progress": s.Progress, "need": s.Need})
	}
	for _, u := range f.Users {
		users = append(users, map[string]any{
			"id": u.ID, "events": u.Events, "last_seen": nativeMillis(u.LastSeen), "steps_done": int32(u.StepsDone),
			"rate": u.Rate, "activated": u.Activated, "role": u.Role,
		})
	}
	return map[string]any{
		"pql_id": f.ID, "type": string(f.Type), "account_id": f.AccountID, "occurred_at": nativeMillis(f.OccurredAt),
		"detected_at": nativeMillis(d.DetectedAt), "current": f.Current, "reason": string(f.Reason), "tier": f.Tier,
		"rate": f.Rate, "threshold": f.Threshold, "account_properties": nativeProperties(f.Properties), "segments": segments,
		"checklist": map[string]any{"name": f.Checklist.Name, "version": int32(f.Checklist.Version), "hash": f.Checklist.Hash},
		"step":      f.Step, "cause": string(f.Cause), "event_id": f.EventID, "event": f.EventName, "user_id": f.UserID,
		"source_topic": f.Position.Topic, "source_partition": f.Position.Partition, "source_offset": f.Position.Offset,
		"steps_done": done, "steps_missing": missing,
		"playbook": map[string]any{
			"name": f.Playbook.Name, "action": f.Playbook.Action, "queue": f.Playbook.Queue, "owner": f.Playbook.Owner,
			"message": f.Playbook.Message, "reason": f.Playbook.Reason,
		},
		"users": users, "active_users_7d": int32(f.ActiveUsers7d), "activated_users": int32(f.Activated), "champion": f.Champion,
		"single_user": f.SingleUser, "late": f.Late,
		"replay": d.Replay, "backfill": d.Backfill, "hold_out": f.HoldOut, "excluded": f.Excluded, "detail": f.Detail,
		"signed_up_at": nativeMillisOrNull(f.SignedUpAt), "qualified_at": nativeMillisOrNull(f.QualifiedAt),
		"related": f.Related, "partly_erased": f.PartlyErased,
	}
}

func nativeMillisOrNull(ms int64) any {
	if ms == 0 {
		return nil
	}
	return goavro.Union("long.timestamp-millis", nativeMillis(ms))
}

func TestFactGolden(t *testing.T) {
	requireFilled(t, "fact", reflect.ValueOf(*testFact()))
	requireFilled(t, "detection", reflect.ValueOf(testDetection))
	requireGolden(t, "pql_event.hex", newFactEncoder(t, Avro).AppendFact(nil, testFact(), testDetection))
	asJSON := newFactEncoder(t, JSON).AppendFact(nil, testFact(), testDetection)
	requireGolden(t, "pql_event.json", asJSON)
	requireSchemaNames(t, schemas.PQLEvent, asJSON)
}

func TestFactIsWhatGoavroWrites(t *testing.T) {
	codec := goavroCodec(t, schemas.PQLEvent)
	all := testFact()
	for i := range all.Properties { // one at a time, since goavro writes maps in any order
		f := *all
		f.Properties = all.Properties[i : i+1]
		want, err := codec.BinaryFromNative(nil, nativeFact(&f, testDetection))
		require.NoError(t, err)
		assert.Equal(t, want, newFactEncoder(t, AvroBody).AppendFact(nil, &f, testDetection))
	}
	want, err := codec.BinaryFromNative(nil, nativeFact(&account.Fact{}, Detection{}))
	require.NoError(t, err)
	assert.Equal(t, want, newFactEncoder(t, AvroBody).AppendFact(nil, &account.Fact{}, Detection{}))
}

// TestFactKeepsItsFieldsApart sets one field at a time, so that two fields of one type that are swapped, in encoder and
// golden file alike, show.
func TestFactKeepsItsFieldsApart(t *testing.T) {
	codec := goavroCodec(t, schemas.PQLEvent)
	for _, d := range []Detection{{DetectedAt: 1}, {Replay: true}, {Backfill: true}} {
		requireFactRoundTrip(t, codec, &account.Fact{}, d)
	}
	full := reflect.ValueOf(*testFact())
	for i := range full.NumField() {
		var f account.Fact
		reflect.ValueOf(&f).Elem().Field(i).Set(full.Field(i))
		requireFactRoundTrip(t, codec, &f, Detection{})
	}
}

// TestEveryFieldOfAFactIsEncoded fills all there is, lists and what is nested included, each field with a value of its
// own: one that an encoder or DecodeFact forgets or mistakes for another shows, whoever added it.
func TestEveryFieldOfAFactIsEncoded(t *testing.T) {
	var f account.Fact
	var d Detection
	n := 0
	fill(t, reflect.ValueOf(&f).Elem(), &n)
	fill(t, reflect.ValueOf(&d).Elem(), &n)
	requireFilled(t, "fact", reflect.ValueOf(f))
	requireFactRoundTrip(t, goavroCodec(t, schemas.PQLEvent), &f, d)
}

// fill sets a value and all in it to something that n makes different from everything else; only booleans are all true.
func fill(t *testing.T, v reflect.Value, n *int) {
	t.Helper()
	*n++
	switch {
	case v.Type() == reflect.TypeFor[usage.Value]():
		v.Set(reflect.ValueOf(usage.LongValue(int64(*n))))
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i), n)
		}
	case v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(t, v.Index(i), n)
		}
	case v.Kind() == reflect.String:
		v.SetString(fmt.Sprintf("text-%03d", *n))
	case v.Kind() == reflect.Bool:
		v.SetBool(true)
	case v.CanInt():
		v.SetInt(int64(*n))
	case v.CanFloat():
		v.SetFloat(1 / float64(*n))
	default:
		t.Fatalf("a fact has a %s: say how to fill one", v.Type())
	}
}

// requireFactRoundTrip checks that goavro and both of our own decoders read back what was encoded. Properties have to be
// sorted by key.
func requireFactRoundTrip(t *testing.T, codec *goavro.Codec, f *account.Fact, d Detection) {
	t.Helper()
	asAvro := newFactEncoder(t, Avro).AppendFact(nil, f, d)
	require.Equal(t, nativeFact(f, d), decodeGoavro(t, codec, asAvro))
	for _, value := range [][]byte{asAvro, newFactEncoder(t, JSON).AppendFact(nil, f, d)} {
		gotFact, gotDetection, err := DecodeFact(value)
		require.NoError(t, err, "%s", value)
		require.Equal(t, *f, gotFact)
		require.Equal(t, d, gotDetection)
	}
}

func FuzzFact(f *testing.F) {
	f.Add(uint64(1), "text", 0.5, testTime)
	f.Add(uint64(2), "", -1e300, int64(-1))
	codec := goavroCodec(f, schemas.PQLEvent)
	f.Fuzz(func(t *testing.T, seed uint64, text string, number float64, at int64) {
		at %= 253_402_300_800_000 // year 9999: times that goavro can hold
		if number != number || number-number != 0 {
			number = 0 // JSON has neither
		}
		fact, d := randomFact(rand.New(rand.NewPCG(seed, 0)), cut(strings.ToValidUTF8(text, "?"), 200), number, at)
		requireFactRoundTrip(t, codec, fact, d)
	})
}

// randomFact makes a fact whose lists have any length up to their limits.
func randomFact(r *rand.Rand, text string, number float64, at int64) (*account.Fact, Detection) {
	str := func() string { return []string{"", text, text + fmt.Sprint(r.IntN(100))}[r.IntN(3)] }
	name := func() string { return cut(str(), maxNameBytes) }
	num := func() float64 { return number * float64(r.IntN(5)) / 4 }
	pos := func() account.Position {
		return account.Position{Topic: str(), Partition: int32(r.Uint32()), Offset: int64(r.Uint64())}
	}
	flag := func() bool { return r.IntN(2) == 0 }
	f := &account.Fact{
		ID: str(), Type: account.Type(str()), AccountID: str(), Tier: str(), Rate: num(), Threshold: num(),
		Checklist: account.ChecklistRef{Name: str(), Version: r.IntN(9), Hash: str()}, Step: name(), EventID: str(),
		EventName: str(), UserID: str(), Position: pos(), ActiveUsers7d: r.IntN(1000), SingleUser: flag(), Late: flag(),
		Playbook: account.Playbook{Name: str(), Action: str(), Queue: str(), Owner: str(), Message: str(), Reason: str()},
		Reason:   account.Reason(str()), Detail: str(), HoldOut: flag(), Excluded: flag(), Cause: account.Cause(str()), Activated: r.IntN(1000), Champion: str(),
		OccurredAt: at, SignedUpAt: at - int64(r.IntN(2)), QualifiedAt: at * int64(r.IntN(2)), Current: flag(),
		Related: str(), PartlyErased: flag(),
	}
	for i := range r.IntN(MaxFactProperties) {
		v := []usage.Value{{}, usage.BoolValue(flag()), usage.LongValue(int64(r.Uint64())), usage.DoubleValue(num()), usage.StringValue(str())}
		f.Properties = append(f.Properties, usage.Property{Key: fmt.Sprintf("%03d", i), Value: v[r.IntN(len(v))]})
	}
	for range r.IntN(MaxFactSegments) {
		f.Segments = append(f.Segments, str())
	}
	done := r.IntN(MaxFactSteps)
	for range done {
		f.StepsDone = append(f.StepsDone, account.Evidence{Step: name(), DoneAt: at, UserID: str(), EventID: str(), Position: pos(), Count: num()})
	}
	for range MaxFactSteps - done {
		f.StepsMissing = append(f.StepsMissing, account.Missing{Step: name(), Progress: num(), Need: str()})
	}
	for range r.IntN(MaxFactUsers + 1) {
		f.Users = append(f.Users, account.UserActivity{ID: str(), Events: int64(r.Uint64()), LastSeen: at, StepsDone: r.IntN(65),
			Rate: num(), Activated: flag(), Role: str()})
	}
	return f, Detection{DetectedAt: at + 1, Replay: flag(), Backfill: flag()}
}

// TestLargestFactFitsIntoARecord has every list at its limit and every text beyond its own, made of what JSON blows up
// most.
func TestLargestFactFitsIntoARecord(t *testing.T) {
	text := strings.Repeat("\x01", 40_000)
	huge := account.Position{Topic: text, Partition: -1 << 31, Offset: -1 << 63}
	f := &account.Fact{
		ID: text, Type: account.Type(text), AccountID: text, Tier: text, Rate: -5e-324, Threshold: -5e-324,
		Checklist: account.ChecklistRef{Name: text, Version: -1 << 31, Hash: text}, Step: text, EventID: text, EventName: text,
		UserID: text, Position: huge, Playbook: account.Playbook{Name: text, Action: text, Queue: text, Owner: text, Message: text, Reason: text},
		Cause: account.Cause(text), ActiveUsers7d: -1 << 31, Activated: -1 << 31, Champion: text, Reason: account.Reason(text), Detail: text,
		OccurredAt: -1 << 63, SignedUpAt: -1 << 63, QualifiedAt: -1 << 63, Related: text,
	}
	for range MaxFactProperties {
		f.Properties = append(f.Properties, usage.Property{Key: text, Value: usage.StringValue(text)})
	}
	for range MaxFactSegments {
		f.Segments = append(f.Segments, text)
	}
	for range MaxFactUsers {
		f.Users = append(f.Users, account.UserActivity{ID: text, Events: -1 << 63, LastSeen: -1 << 63, StepsDone: -1 << 31,
			Rate: -2.2250738585072014e-308, Role: text})
	}
	done, missing := *f, *f // of a step, the larger of the two forms counts
	for range MaxFactSteps {
		done.StepsDone = append(done.StepsDone, account.Evidence{
			Step: text, DoneAt: -1 << 63, UserID: text, EventID: text, Position: huge, Count: -2.2250738585072014e-308,
		})
		missing.StepsMissing = append(missing.StepsMissing, account.Missing{Step: text, Progress: -2.2250738585072014e-308, Need: text})
	}
	for _, format := range []Format{Avro, JSON} {
		for _, f := range []*account.Fact{&done, &missing} {
			value := newFactEncoder(t, format).AppendFact(nil, f, Detection{DetectedAt: -1 << 63})
			t.Logf("%s: %d bytes", format, len(value))
			assert.LessOrEqual(t, len(value), MaxFactBytes, format)
			if format == JSON {
				assert.True(t, json.Valid(value))
			}
		}
	}
}

func TestFactTextsAreCut(t *testing.T) {
	long := strings.Repeat("漢", 2000) // 6,000 bytes
	f := &account.Fact{
		EventID: long, Step: long, Playbook: account.Playbook{Reason: long},
		Properties: []usage.Property{{Key: "k", Value: usage.StringValue(long)}},
	}
	for _, format := range []Format{Avro, JSON} {
		got, _, err := DecodeFact(newFactEncoder(t, format).AppendFact(nil, f, Detection{}))
		require.NoError(t, err)
		assert.Equal(t, long[:255], got.EventID)
		assert.Equal(t, long[:63], got.Step)
		assert.Equal(t, long[:999], got.Playbook.Reason)
		assert.Equal(t, long[:255], got.Properties[0].Value.Str())
	}
}

func TestDecodeFactRefusesWhatIsNone(t *testing.T) {
	whole := newFactEncoder(t, Avro).AppendFact(nil, testFact(), testDetection)
	for name, value := range map[string][]byte{
		"empty": nil, "no header": []byte("hello"), "short header": {0, 0, 0}, "cut": whole[:len(whole)-3],
		"too long": append(whole[:len(whole):len(whole)], 0), "not JSON": []byte("{"), "wrong type": []byte(`{"rate":"x"}`),
		"property": []byte(`{"account_properties":{"k":[1]}}`),
	} {
		_, _, err := DecodeFact(value)
		assert.ErrorContains(t, err, "reading a PQL event: ", name)
	}
}

func TestFactAllocatesNothing(t *testing.T) {
	for _, format := range []Format{Avro, JSON} {
		enc, f, b := newFactEncoder(t, format), testFact(), make([]byte, 0, 8192)
		assert.Zero(t, testing.AllocsPerRun(100, func() { b = enc.AppendFact(b[:0], f, testDetection) }), format)
	}
}

func BenchmarkAppendFact(b *testing.B) {
	for _, format := range []Format{Avro, JSON} {
		b.Run(string(format), func(b *testing.B) {
			enc, f, buf := newFactEncoder(b, format), testFact(), make([]byte, 0, 8192)
			b.ReportAllocs()
			for b.Loop() {
				buf = enc.AppendFact(buf[:0], f, testDetection)
			}
			b.SetBytes(int64(len(buf)))
		})
	}
}
