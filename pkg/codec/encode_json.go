package codec

import (
	"bytes"
	"encoding/base64"
	"math"
	"strconv"
	"unicode/utf8"
)

// jsonObject appends one JSON object, nested ones included. It writes what encoding/json would, without reflection and in the
// order of the calls.
type jsonObject struct {
	b     []byte
	comma bool
}

func openObject(b []byte) jsonObject { return jsonObject{b: append(b, '{')} }

// end closes the outermost object and returns the buffer.
func (o *jsonObject) end() []byte { return append(o.b, '}') }

// name starts a field; names need no escaping, they are the schemas'.
func (o *jsonObject) name(name string) {
	o.separate()
	o.b = append(o.b, '"')
	o.b = append(o.b, name...)
	o.b = append(o.b, '"', ':')
}

func (o *jsonObject) str(name, v string) {
	o.name(name)
	o.b = appendJSONString(o.b, v)
}

func (o *jsonObject) long(name string, v int64) {
	o.name(name)
	o.b = strconv.AppendInt(o.b, v, 10)
}

// millisOrNull writes a time, 0 as null.
func (o *jsonObject) millisOrNull(name string, v int64) {
	if v == 0 {
		o.name(name)
		o.b = append(o.b, "null"...)
		return
	}
	o.long(name, v)
}

func (o *jsonObject) double(name string, v float64) {
	o.name(name)
	o.b = appendJSONDouble(o.b, v)
}

func (o *jsonObject) bool(name string, v bool) {
	o.name(name)
	o.b = strconv.AppendBool(o.b, v)
}

// bytes writes base64, nil as null.
func (o *jsonObject) bytes(name string, v []byte) {
	o.name(name)
	if v == nil {
		o.b = append(o.b, "null"...)
		return
	}
	o.b = append(o.b, '"')
	o.b = base64.StdEncoding.AppendEncode(o.b, v)
	o.b = append(o.b, '"')
}

// separate writes the comma before all but the first field or item.
func (o *jsonObject) separate() {
	if o.comma {
		o.b = append(o.b, ',')
	}
	o.comma = true
}

// open starts a nested object, whose name or place in an array is written.
func (o *jsonObject) open() {
	o.b = append(o.b, '{')
	o.comma = false
}

func (o *jsonObject) close() {
	o.b = append(o.b, '}')
	o.comma = true
}

// openItem starts an object in an array.
func (o *jsonObject) openItem() {
	o.separate()
	o.open()
}

func (o *jsonObject) openArray(name string) {
	o.name(name)
	o.b = append(o.b, '[')
	o.comma = false
}

func (o *jsonObject) closeArray() {
	o.b = append(o.b, ']')
	o.comma = true
}

// appendJSONDouble writes a number that a reader who tells integers from doubles takes for a double: it has a point or
// an exponent. What JSON has no number for, infinite or not a number, is null.
func appendJSONDouble(b []byte, v float64) []byte {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return append(b, "null"...)
	}
	format := byte('f')
	if abs := math.Abs(v); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	start := len(b)
	b = strconv.AppendFloat(b, v, format, -1, 64)
	if !bytes.ContainsAny(b[start:], ".e") {
		b = append(b, ".0"...)
	}
	return b
}

const hexDigits = "0123456789abcdef"

// appendJSONString writes a quoted string. Bytes that are not UTF-8 become U+FFFD.
func appendJSONString(b []byte, s string) []byte {
	b = append(b, '"')
	plain := 0 // start of what is copied as it is
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
		}
		b = append(b, s[plain:i]...)
		b = appendJSONEscape(b, c)
		i++
		plain = i
	}
	b = append(b, s[plain:]...)
	return append(b, '"')
}

// appendJSONEscape writes a byte that can't stand for itself.
func appendJSONEscape(b []byte, c byte) []byte {
	switch {
	case c == '"' || c == '\\':
		return append(b, '\\', c)
	case c == '\n':
		return append(b, '\\', 'n')
	case c == '\r':
		return append(b, '\\', 'r')
	case c == '\t':
		return append(b, '\\', 't')
	case c >= utf8.RuneSelf:
		return append(b, string(utf8.RuneError)...)
	}
	return append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}

// cut returns a text's first bytes, at most limit of them, whole characters only.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}
