package usage

import "strconv"

// The codes of what is wrong with a record: short and stable, for counting. Those that concern one field are that
// field's name and what is wrong with it, such as account_id_missing, user_id_too_long or quantity_wrong_type;
// occurred_at's say timestamp, and those of properties say property.
const (
	CodeUndecodable       = "undecodable"       // not what its format says it is
	CodeUnknownSchema     = "unknown_schema"    // written with a schema that nobody knows
	CodeBadSchema         = "bad_schema"        // written with a schema that is not a valid one
	CodeUnmappableSchema  = "unmappable_schema" // written with a schema that the mapping does not fit
	CodeNotUTF8           = "not_utf8"          // a string is not valid UTF-8
	CodeTooManyProperties = "too_many_properties"

	CodeAccountIDMissing = "account_id_missing"
	CodeUserIDMissing    = "user_id_missing"
	CodeEventMissing     = "event_missing"

	CodeTimestampMissing    = "timestamp_missing"
	CodeTimestampOutOfRange = "timestamp_out_of_range"
	CodeTimestampInFuture   = "timestamp_in_future"

	CodePropertyWrongType  = "property_wrong_type"
	CodePropertyTooLong    = "property_too_long"
	CodePropertyKeyTooLong = "property_key_too_long"
	CodePropertyNotFinite  = "property_not_finite"
	CodeQuantityNotFinite  = "quantity_not_finite"
)

// WrongType is the code of a field whose value is of a type that it can't have.
func WrongType(field string) string { return codeName(field) + "_wrong_type" }

// TooLong is the code of a field whose value has too many bytes.
func TooLong(field string) string { return codeName(field) + "_too_long" }

func codeName(field string) string {
	switch field {
	case FieldOccurredAt, FieldReceivedAt:
		return "timestamp"
	case FieldProperties:
		return "property"
	}
	return field
}

// Error is what is wrong with a record for good: reading it again would not help.
type Error struct {
	Code  string // one of the codes above
	Field string // the canonical field, such as account_id or properties.plan; empty when it is the whole record
	Err   error  // what is wrong
}

func (e *Error) Error() string {
	if e.Field == "" {
		return e.Err.Error()
	}
	return e.Field + ": " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// PropertyField names a property in an Error. Keys come from outside: long ones are cut, odd ones quoted.
func PropertyField(key string) string {
	const most = 64
	if len(key) > most {
		key = key[:most] + "..."
	}
	if quoted := strconv.Quote(key); quoted != `"`+key+`"` {
		key = quoted
	}
	return FieldProperties + "." + key
}
