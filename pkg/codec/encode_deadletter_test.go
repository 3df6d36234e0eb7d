package codec

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/linkedin/goavro/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/schemas"
)

func testDeadLetter() *DeadLetter {
	return &DeadLetter{
		Reason: "account_id_missing", Message: "account_id: context.groupId is not there", Stage: "ingest", Topic: "segment.track",
		Partition: 7, Offset: 1 << 40, Timestamp: testTime, FailedAt: testTime + 9, Key: []byte("k\x00\xff"),
		Headers: []kgo.RecordHeader{{Key: "trace", Value: []byte{0xff}}, {Key: "empty", Value: []byte{}}},
		Value:   []byte(`{"event":"clicked"}`), Truncated: true,
	}
}

func newDeadLetterEncoder(t testing.TB, f Format, maxBytes int) *DeadLetterEncoder {
	t.Helper()
	enc, err := NewDeadLetterEncoder(f, testID, maxBytes)
	require.NoError(t, err)
	return enc
}

func nativeBytes(b []byte) any {
	if b == nil {
		return nil
	}
	return goavro.Union("bytes", b)
}

func nativeDeadLetter(d *DeadLetter) map[string]any {
	headers := []any{}
	for _, h := range d.Headers {
		headers = append(headers, map[string]any{"key": h.Key, "value": nativeBytes(h.Value)})
	}
	return map[string]any{
		"reason": d.Reason, "message": d.Message, "stage": d.Stage, "topic": d.Topic, "partition": d.Partition,
		"offset": d.Offset, "timestamp": nativeMillis(d.Timestamp), "failed_at": nativeMillis(d.FailedAt),
		"key": nativeBytes(d.Key), "headers": headers, "value": nativeBytes(d.Value), "truncated": d.Truncated,
	}
}

func TestDeadLetterGolden(t *testing.T) {
	d := testDeadLetter()
	for _, f := range []string{"Reason", "Message", "Stage", "Topic", "Partition", "Offset", "Timestamp", "FailedAt", "Key", "Headers", "Value"} {
		require.False(t, reflect.ValueOf(*d).FieldByName(f).IsZero(), f)
	}
	requireGolden(t, "dead_letter.hex", newDeadLetterEncoder(t, Avro, DefaultDeadLetterBytes).AppendDeadLetter(nil, d))
	asJSON := newDeadLetterEncoder(t, JSON, DefaultDeadLetterBytes).AppendDeadLetter(nil, d)
	requireGolden(t, "dead_letter.json", asJSON)
	requireSchemaNames(t, schemas.DeadLetter, asJSON)
}

func TestDeadLetterIsWhatGoavroWrites(t *testing.T) {
	codec := goavroCodec(t, schemas.DeadLetter)
	tombstone := &DeadLetter{Topic: "t", Headers: []kgo.RecordHeader{{Key: "null"}}}
	for _, d := range []*DeadLetter{testDeadLetter(), tombstone, {}, {Key: []byte{}, Value: []byte{}}} {
		want, err := codec.BinaryFromNative(nil, nativeDeadLetter(d))
		require.NoError(t, err)
		assert.Equal(t, want, newDeadLetterEncoder(t, AvroBody, DefaultDeadLetterBytes).AppendDeadLetter(nil, d))
		requireDeadLetterRoundTrip(t, codec, d)
	}
}

func requireDeadLetterRoundTrip(t *testing.T, codec *goavro.Codec, d *DeadLetter) {
	t.Helper()
	asAvro := newDeadLetterEncoder(t, Avro, DefaultDeadLetterBytes).AppendDeadLetter(nil, d)
	require.Equal(t, nativeDeadLetter(d), decodeGoavro(t, codec, asAvro))
	for _, value := range [][]byte{asAvro, newDeadLetterEncoder(t, JSON, DefaultDeadLetterBytes).AppendDeadLetter(nil, d)} {
		got, err := DecodeDeadLetter(value)
		require.NoError(t, err, "%s", value)
		require.Equal(t, *d, got)
	}
}

func FuzzDeadLetter(f *testing.F) {
	f.Add("text", []byte("key"), []byte("value"), int32(1), int64(2), testTime)
	f.Add("", []byte{}, []byte{0, 255}, int32(-1), int64(math.MinInt64), int64(-1))
	codec := goavroCodec(f, schemas.DeadLetter)
	f.Fuzz(func(t *testing.T, text string, key, value []byte, partition int32, offset, at int64) {
		text = cut(strings.ToValidUTF8(text, "?"), maxReasonBytes)
		requireDeadLetterRoundTrip(t, codec, &DeadLetter{
			Reason: text, Message: text, Stage: text, Topic: text, Partition: partition, Offset: offset,
			Timestamp: at % 253_402_300_800_000, FailedAt: -at % 253_402_300_800_000, // year 9999: what goavro can hold
			Key: key, Value: value, Headers: []kgo.RecordHeader{{Key: text, Value: value}, {Key: text}},
		})
	})
}

// TestDeadLetterFitsTheLimit has records of every shape around and far above the limit.
func TestDeadLetterFitsTheLimit(t *testing.T) {
	sizes := []int{0, 1, MinDeadLetterBytes / 5, MinDeadLetterBytes / 2, MinDeadLetterBytes, 10 * MinDeadLetterBytes}
	for _, format := range []Format{Avro, JSON} {
		enc := newDeadLetterEncoder(t, format, MinDeadLetterBytes)
		for _, key := range sizes {
			for _, value := range sizes {
				for _, headers := range []int{0, 1, 3, 100, 20_000} {
					requireFits(t, enc, key, value, headers)
				}
			}
		}
	}
}

func requireFits(t *testing.T, enc *DeadLetterEncoder, key, value, headers int) {
	t.Helper()
	odd := strings.Repeat("\x01", 5000) // each byte six in JSON
	d := &DeadLetter{
		Reason: odd, Message: odd, Stage: odd, Topic: odd, Partition: math.MinInt32, Offset: math.MinInt64,
		Timestamp: math.MinInt64, FailedAt: math.MinInt64, Key: bytes.Repeat([]byte{1}, key), Value: bytes.Repeat([]byte{2}, value),
	}
	for range headers {
		d.Headers = append(d.Headers, kgo.RecordHeader{Key: "\x01", Value: []byte("v")})
	}
	got := enc.AppendDeadLetter(nil, d)
	require.LessOrEqual(t, len(got), MinDeadLetterBytes, "json %t: %d %d %d", enc.json, key, value, headers)
	back, err := DecodeDeadLetter(got)
	require.NoError(t, err)
	require.True(t, bytes.HasPrefix(d.Key, back.Key))
	require.True(t, bytes.HasPrefix(d.Value, back.Value))
	whole := len(back.Key) == key && len(back.Value) == value && len(back.Headers) == headers
	require.Equal(t, !whole, back.Truncated)
	if value > 0 {
		require.NotEmpty(t, back.Value, "headers and key leave room for the value")
	}
	if !whole && headers <= 100 { // what very many small headers take is overestimated
		require.Greater(t, len(got), MinDeadLetterBytes/4, "no more is cut than necessary")
	}
}

func TestDeadLetterUsesItsRoom(t *testing.T) {
	for _, format := range []Format{Avro, JSON} {
		got := newDeadLetterEncoder(t, format, MinDeadLetterBytes).AppendDeadLetter(nil, &DeadLetter{Value: make([]byte, MinDeadLetterBytes)})
		assert.Greater(t, len(got), MinDeadLetterBytes-2000, format)
	}
}

func TestDeadLetterLimitIsNotTooSmall(t *testing.T) {
	_, err := NewDeadLetterEncoder(Avro, 1, MinDeadLetterBytes-1)
	assert.EqualError(t, err, "encoding dead letters: 65535 bytes are too few, at least 65536")
}

func TestDecodeDeadLetterRefusesWhatIsNone(t *testing.T) {
	for _, value := range []string{"", "hello", "{", "\x00\x00\x00\x00\x01\x02"} {
		_, err := DecodeDeadLetter([]byte(value))
		assert.ErrorContains(t, err, "reading a dead letter: ")
	}
	assert.True(t, json.Valid(newDeadLetterEncoder(t, JSON, MinDeadLetterBytes).AppendDeadLetter(nil, &DeadLetter{Message: "\xff\x00"})))
}
