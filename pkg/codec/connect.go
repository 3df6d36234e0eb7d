package codec

import (
	"encoding/json"
	"fmt"
	"sync"

	"github.com/pqlstream/pqlstream/schemas"
)

// Connect is JSON as Kafka Connect's JsonConverter reads it with schemas.enable=true: each value holds a schema of Connect's beside
// the payload, {"schema":{...},"payload":{...}}, so that sinks know the types of columns. Rows of metrics can be written so.
const Connect Format = "connect"

// connectField is a schema of Connect's: of a struct, or of one of its fields.
type connectField struct {
	Field    string          `json:"field,omitempty"`
	Type     string          `json:"type"`
	Name     string          `json:"name,omitempty"`
	Version  int             `json:"version,omitempty"`
	Optional bool            `json:"optional"`
	Default  json.RawMessage `json:"default,omitempty"`
	Fields   []connectField  `json:"fields,omitempty"`
}

// avroField is what of an Avro schema's field matters to Connect.
type avroField struct {
	Name    string          `json:"name"`
	Type    json.RawMessage `json:"type"`
	Default json.RawMessage `json:"default"`
}

// connectRow is what precedes the payload of a row of a metric.
var connectRow = sync.OnceValues(func() (string, error) {
	schema, err := connectSchema(schemas.MetricRow.Text)
	return `{"schema":` + schema + `,"payload":`, err
})

// connectSchema returns the schema in Connect's JSON that says what a flat Avro record's says. Times are Connect's Timestamp. Defaults are
// taken over, so that a sink can add a column to a table that has rows.
func connectSchema(text string) (string, error) {
	var record struct {
		Name, Namespace string
		Fields          []avroField
	}
	if err := json.Unmarshal([]byte(text), &record); err != nil {
		return "", err
	}
	s := connectField{Type: "struct", Name: record.Namespace + "." + record.Name}
	for _, f := range record.Fields {
		c, err := connectType(f.Type)
		if err != nil {
			return "", fmt.Errorf("a schema of Kafka Connect's for %s: %s: %w", record.Name, f.Name, err)
		}
		if c.Field = f.Name; !c.Optional {
			c.Default = f.Default
		}
		s.Fields = append(s.Fields, c)
	}
	b, err := json.Marshal(s)
	return string(b), err
}

var connectTypes = map[string]connectField{
	"string":  {Type: "string"},
	"long":    {Type: "int64"},
	"double":  {Type: "double"},
	"boolean": {Type: "boolean"},
	"bytes":   {Type: "bytes"},

	"timestamp-millis": {Type: "int64", Name: "org.apache.kafka.connect.data.Timestamp", Version: 1},
}

// connectType translates the type of a field: a primitive one, a time, or one of these that may be null.
func connectType(avro json.RawMessage) (connectField, error) {
	var union []json.RawMessage
	if json.Unmarshal(avro, &union) == nil && len(union) == 2 && string(union[0]) == `"null"` {
		c, err := connectType(union[1])
		c.Optional = true
		return c, err
	}
	var logical struct{ LogicalType string }
	name := ""
	if json.Unmarshal(avro, &name) != nil && json.Unmarshal(avro, &logical) == nil {
		name = logical.LogicalType
	}
	c, ok := connectTypes[name]
	if !ok {
		return c, fmt.Errorf("no type is known for %s", avro)
	}
	return c, nil
}
