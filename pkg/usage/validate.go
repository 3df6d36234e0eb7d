package usage

import (
	"errors"
	"fmt"
	"math"
	"time"
	"unicode/utf8"
)

// What an event may hold at most.
const (
	MaxIDBytes       = 256       // of an id, an event name, a source or a property's key
	MaxProperties    = 256       // of an event
	MaxPropertyBytes = 32 * 1024 // of a property's string value
)

// maxTime is the last millisecond of the year 9999, the last that RFC 3339 can write.
var maxTime = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli() - 1

// Times from 2001 to 2286 in seconds would be days of 1970 in milliseconds, when nobody used a product.
const (
	firstSeconds = 1_000_000_000
	endOfSeconds = 10_000_000_000
)

// mostFromNow is the largest number of milliseconds that a time.Duration holds.
const mostFromNow = math.MaxInt64 / int64(time.Millisecond)

// Validate says whether an event is one that can be counted: an account, a name, a moment, and nothing too large. now
// and futureTolerance are milliseconds, now since the Unix epoch; an event that claims to have happened later than now
// and the tolerance is refused, so that one wrong clock can't move everybody's time. An *Error says what is wrong
// first.
//
// A moment of exactly 0 counts as missing.
func Validate(e *Event, now, futureTolerance int64) error {
	if e.AccountID == "" {
		return &Error{CodeAccountIDMissing, FieldAccountID, errMissing}
	}
	return validate(e, now, futureTolerance)
}

// ValidateOfUser is Validate for an event that needs no account, since it names a user.
func ValidateOfUser(e *Event, now, futureTolerance int64) error {
	if e.UserID == "" {
		return &Error{CodeUserIDMissing, FieldUserID, errMissing}
	}
	return validate(e, now, futureTolerance)
}

func validate(e *Event, now, futureTolerance int64) error {
	if err := validateIDs(e); err != nil {
		return err
	}
	if err := validateTime(e.OccurredAt, now, futureTolerance); err != nil {
		return err
	}
	if !finite(e.Quantity) {
		return &Error{CodeQuantityNotFinite, FieldQuantity, errNotFinite}
	}
	return validateProperties(e.Properties)
}

func validateIDs(e *Event) error {
	if plain(e.AccountID) && plain(e.Name) && plain(e.UserID) && plain(e.ID) && plain(e.Source) && e.Name != "" {
		return nil
	}
	if e.Name == "" {
		return &Error{CodeEventMissing, FieldEvent, errMissing}
	}
	for _, id := range [...]struct{ field, text string }{
		{FieldAccountID, e.AccountID}, {FieldEvent, e.Name}, {FieldUserID, e.UserID}, {FieldEventID, e.ID}, {FieldSource, e.Source},
	} {
		if len(id.text) > MaxIDBytes {
			return &Error{TooLong(id.field), id.field, tooLong(len(id.text), MaxIDBytes)}
		}
		if !utf8.ValidString(id.text) {
			return &Error{CodeNotUTF8, id.field, errNotUTF8}
		}
	}
	return nil
}

// plain says whether a text is what most ids are: ASCII, and not too long.
func plain(s string) bool {
	n := len(s)
	switch {
	case n == 0:
		return true
	case n < 8:
		return shortASCII(s)
	case n <= 16:
		return (eightBytes(s, 0)|eightBytes(s, n-8))&highBits == 0
	case n <= 32:
		return (eightBytes(s, 0)|eightBytes(s, 8)|eightBytes(s, n-16)|eightBytes(s, n-8))&highBits == 0
	}
	return n <= MaxIDBytes && longASCII(s)
}

const highBits = 0x8080808080808080

func shortASCII(s string) bool {
	all := byte(0)
	for i := range len(s) {
		all |= s[i]
	}
	return all < utf8.RuneSelf
}

// longASCII is for 8 bytes and more.
func longASCII(s string) bool {
	all := eightBytes(s, len(s)-8)
	for i := 0; i < len(s)-8; i += 8 {
		all |= eightBytes(s, i)
	}
	return all&highBits == 0
}

// eightBytes returns 8 bytes of s; the compiler makes it one load.
func eightBytes(s string, at int) uint64 {
	b := s[at : at+8]
	return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
		uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
}

// validUTF8 is utf8.ValidString, which takes longer for what most texts are, ASCII.
func validUTF8(s string) bool {
	if len(s) < 8 {
		return shortASCII(s) || utf8.ValidString(s)
	}
	return longASCII(s) || utf8.ValidString(s)
}

func validateTime(at, now, futureTolerance int64) error {
	switch {
	case at == 0:
		return &Error{CodeTimestampMissing, FieldOccurredAt, errMissing}
	case at < 0 || at > maxTime:
		return &Error{CodeTimestampOutOfRange, FieldOccurredAt, fmt.Errorf("%d ms is not between 1970 and 9999", at)}
	case at >= firstSeconds && at < endOfSeconds:
		return &Error{CodeTimestampOutOfRange, FieldOccurredAt, fmt.Errorf("%d is a time in seconds: it has to be in milliseconds", at)}
	case at-futureTolerance > now:
		return &Error{CodeTimestampInFuture, FieldOccurredAt, fmt.Errorf("%s is %s from now", time.UnixMilli(at).UTC().Format(time.RFC3339),
			time.Duration(min(at-now, mostFromNow)*int64(time.Millisecond)).Round(time.Second))}
	}
	return nil
}

func validateProperties(properties []Property) error {
	if len(properties) > MaxProperties {
		return TooManyProperties()
	}
	for i := range properties {
		if err := validateProperty(&properties[i]); err != nil {
			return err
		}
	}
	return nil
}

func validateProperty(p *Property) error {
	if len(p.Key) > MaxIDBytes {
		return &Error{CodePropertyKeyTooLong, PropertyField(p.Key), tooLong(len(p.Key), MaxIDBytes)}
	}
	if !validUTF8(p.Key) {
		return &Error{CodeNotUTF8, PropertyField(p.Key), errors.New("its key is not valid UTF-8")}
	}
	switch p.Value.kind {
	case String:
		if len(p.Value.str) > MaxPropertyBytes {
			return &Error{CodePropertyTooLong, PropertyField(p.Key), tooLong(len(p.Value.str), MaxPropertyBytes)}
		}
		if !validUTF8(p.Value.str) {
			return &Error{CodeNotUTF8, PropertyField(p.Key), errNotUTF8}
		}
	case Double:
		if !finite(p.Value.double) {
			return &Error{CodePropertyNotFinite, PropertyField(p.Key), errNotFinite}
		}
	}
	return nil
}

// TooManyProperties is the error of an event with more than MaxProperties, for decoders that stop there.
func TooManyProperties() *Error {
	return &Error{CodeTooManyProperties, FieldProperties, fmt.Errorf("there are more than %d", MaxProperties)}
}

var (
	errMissing   = errors.New("is missing")
	errNotUTF8   = errors.New("is not valid UTF-8")
	errNotFinite = errors.New("is not a finite number")
)

func tooLong(n, most int) error { return fmt.Errorf("has %d bytes, at most %d are allowed", n, most) }

func finite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }
