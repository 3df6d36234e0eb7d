package stream

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// commitKey is the reserved changelog key of commit records. Entity ids are valid UTF-8, which 0xff never occurs in.
var commitKey = []byte{0xff, 'c', 'o', 'm', 'm', 'i', 't'}

func isCommitKey(key []byte) bool { return bytes.Equal(key, commitKey) }

// identity says whose state a changelog partition holds. A takeover refuses one that differs in anything.
type identity struct {
	Cluster        string `json:"cluster"`
	InputTopic     string `json:"input_topic"`
	InputID        string `json:"input_id"`
	ChangelogID    string `json:"changelog_id"`
	PartitionCount int32  `json:"partitions"`
	Group          string `json:"group"`
}

// digest is the identity in few bytes, as the store compares it.
func (i identity) digest() string {
	b, _ := json.Marshal(i) // strings and a number: it can't fail
	sum := sha256.Sum256(b)
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// differences names what makes two identities differ, for an error that says what has changed.
func (i identity) differences(stored identity) string {
	var d []string
	note := func(what, now, then string) {
		if now != then {
			d = append(d, fmt.Sprintf("%s is %s, was %s", what, now, then))
		}
	}
	note("the cluster id", i.Cluster, stored.Cluster)
	note("the input topic", i.InputTopic, stored.InputTopic)
	note("the input topic's id", i.InputID, stored.InputID)
	note("the changelog topic's id", i.ChangelogID, stored.ChangelogID)
	note("the input's partition count", strconv.Itoa(int(i.PartitionCount)), strconv.Itoa(int(stored.PartitionCount)))
	note("the consumer group", i.Group, stored.Group)
	return strings.Join(d, ", ")
}

// commitRecord ends every commit in each changelog partition that the commit lists.
type commitRecord struct {
	identity
	Offset     int64        `json:"offset"`               // the checkpoint: input offset that a takeover starts from
	EventTime  int64        `json:"event_time"`           // highest event time seen at the checkpoint, ms since the epoch; of a later stage the watermark
	Sources    *sourceTimes `json:"sources,omitempty"`    // of a later stage: what it had been told
	Definition string       `json:"definition,omitempty"` // hash of what the processor is configured with
}

func (c commitRecord) encode() ([]byte, error) { return json.Marshal(c) }

func parseCommitRecord(b []byte) (commitRecord, error) {
	var c commitRecord
	if err := json.Unmarshal(b, &c); err != nil {
		return c, fmt.Errorf("not a commit record: %w", err)
	}
	return c, nil
}

// metadataVersion starts the metadata of our offset commits; it tells them from those of other programs.
const metadataVersion = "pqlstream1:"

// offsetMetadata is what an offset commit says: where its commit record lies in the changelog partition. It is a few
// bytes, far below the 4,096 that a broker accepts by default.
func offsetMetadata(position int64) string {
	return metadataVersion + base64.RawURLEncoding.EncodeToString(binary.AppendVarint(nil, position))
}

var errForeignMetadata = errors.New("the offset was not committed by pqlstream")

func parseOffsetMetadata(s string) (position int64, err error) {
	encoded, ok := strings.CutPrefix(s, metadataVersion)
	if !ok {
		return 0, errForeignMetadata
	}
	b, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		return 0, errForeignMetadata
	}
	position, n := binary.Varint(b)
	if n != len(b) || position < 0 {
		return 0, errForeignMetadata
	}
	return position, nil
}

// valueFormat is the first byte of a state's changelog value: the version of the envelope.
const valueFormat = 1

var errEnvelope = errors.New("malformed state envelope")

// appendEnvelope appends what precedes an encoded state: the format and applied, the input offset after the last
// record folded into the state. Both are as Avro has a fixed and a long, so that a value is readable as one record.
func appendEnvelope(b []byte, applied int64) []byte {
	return binary.AppendVarint(append(b, valueFormat), applied)
}

// Unwrap splits a changelog or mirror value into the input offset after the last record folded into it and the state
// as the Processor encoded it.
func Unwrap(value []byte) (applied int64, encoded []byte, err error) {
	if len(value) < 2 || value[0] != valueFormat {
		return 0, nil, errEnvelope
	}
	applied, n := binary.Varint(value[1:])
	if n <= 0 || applied < 0 {
		return 0, nil, errEnvelope
	}
	return applied, value[1+n:], nil
}
