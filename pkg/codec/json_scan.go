package codec

import (
	"encoding/binary"
	"encoding/json"
	"math/bits"
	"unicode/utf8"
	"unsafe"
)

// jsonScanner walks over a JSON document. It takes what encoding/json takes, if that is UTF-8. At the first byte that is
// wrong it goes to the end, where peek finds nothing more, and failed says so.
type jsonScanner struct {
	b      []byte
	pos    int
	failed bool
	depth  int    // objects entered and not left
	nest   []byte // the brackets that skipNested has met and that are to be closed
}

// maxJSONDepth is how deeply encoding/json lets a document be nested.
const maxJSONDepth = 10_000

func (s *jsonScanner) fail() {
	s.failed = true
	s.pos = len(s.b)
}

// peek returns the first byte of the next value, which says of what kind it is, or the next punctuation; 0 at the end.
func (s *jsonScanner) peek() byte {
	for ; s.pos < len(s.b); s.pos++ {
		if c := s.b[s.pos]; c > ' ' || c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			return c
		}
	}
	return 0
}

// expect passes over one byte of punctuation.
func (s *jsonScanner) expect(c byte) {
	if s.peek() != c {
		s.fail()
		return
	}
	s.pos++
}

// open enters an object and says whether it has a member.
func (s *jsonScanner) open() bool {
	s.expect('{')
	if s.peek() == '}' {
		s.pos++
		return false
	}
	s.depth++
	return !s.failed
}

// next goes on to an object's next member, if there is one; else it leaves the object.
func (s *jsonScanner) next() bool {
	switch s.peek() {
	case ',':
		s.pos++
		return true
	case '}':
		s.pos++
		s.depth--
		return false
	}
	s.fail()
	return false
}

// name reads a member's name and goes on to its value.
func (s *jsonScanner) name() string {
	if s.peek() != '"' {
		s.fail()
		return ""
	}
	name := s.text()
	s.expect(':')
	return name
}

// text reads a string. It aliases the document unless it has escapes.
func (s *jsonScanner) text() string {
	start := s.pos
	escapes := s.skipString()
	if s.failed {
		return ""
	}
	if escapes {
		var text string
		_ = json.Unmarshal(s.b[start:s.pos], &text) // a valid string can't fail
		return text
	}
	return unsafe.String(&s.b[start], s.pos-start)[1 : s.pos-start-1]
}

// number passes over a number and returns it as it is written; it aliases the document. whole says that it has neither
// a point nor an exponent.
func (s *jsonScanner) number() (token string, whole bool) {
	start := s.pos
	whole = s.skipNumber()
	if s.failed {
		return "", false
	}
	return unsafe.String(&s.b[start], s.pos-start), whole
}

// raw passes over a value and returns it as it is written; it aliases the document.
func (s *jsonScanner) raw() string {
	s.peek()
	start := s.pos
	s.skip()
	if s.failed {
		return ""
	}
	return unsafe.String(&s.b[start], s.pos-start)
}

// skip passes over a value.
func (s *jsonScanner) skip() {
	switch c := s.peek(); c {
	case '"':
		s.skipString()
	case '{', '[':
		s.skipNested()
	default:
		s.skipWord(c)
	}
}

// skipWord passes over a number, true, false or null, of which c is the first byte.
func (s *jsonScanner) skipWord(c byte) {
	switch c {
	case 't':
		s.skipLiteral("true")
	case 'f':
		s.skipLiteral("false")
	case 'n':
		s.skipLiteral("null")
	default:
		s.skipNumber()
	}
}

func (s *jsonScanner) skipLiteral(word string) {
	if len(s.b)-s.pos < len(word) || string(s.b[s.pos:s.pos+len(word)]) != word {
		s.fail()
		return
	}
	s.pos += len(word)
}

// skipNumber passes over a number and says whether it is written as a whole one.
func (s *jsonScanner) skipNumber() (whole bool) {
	if s.at() == '-' {
		s.pos++
	}
	if s.at() == '0' {
		s.pos++
	} else {
		s.skipDigits()
	}
	whole = true
	if s.at() == '.' {
		whole = false
		s.pos++
		s.skipDigits()
	}
	if s.at()|0x20 == 'e' {
		whole = false
		s.pos++
		if c := s.at(); c == '+' || c == '-' {
			s.pos++
		}
		s.skipDigits()
	}
	return whole
}

// skipDigits passes over at least one digit.
func (s *jsonScanner) skipDigits() {
	start := s.pos
	for s.pos < len(s.b) && s.b[s.pos]-'0' <= 9 {
		s.pos++
	}
	if s.pos == start {
		s.fail()
	}
}

// at returns the next byte, 0 at the end.
func (s *jsonScanner) at() byte {
	if s.pos < len(s.b) {
		return s.b[s.pos]
	}
	return 0
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// special returns a word in which the lowest bit set lies in the first of 8 bytes that is a quote, a backslash, a control
// character or not ASCII.
func special(w uint64) uint64 {
	quote, backslash := w^ones*'"', w^ones*'\\'
	return (w | (w - ones*' ') | (quote - ones) | (backslash - ones)) & highs
}

// skipString passes over a string and says whether it has escapes.
func (s *jsonScanner) skipString() (escapes bool) {
	for s.pos++; ; {
		for s.pos+8 <= len(s.b) {
			if w := special(binary.LittleEndian.Uint64(s.b[s.pos:])); w != 0 {
				s.pos += bits.TrailingZeros64(w) / 8
				break
			}
			s.pos += 8
		}
		switch c := s.at(); {
		case c == '"':
			s.pos++
			return escapes
		case c == '\\':
			escapes = true
			s.skipEscape()
		case c < ' ':
			s.fail()
			return escapes
		case c < utf8.RuneSelf:
			s.pos++
		default:
			s.skipRune()
		}
	}
}

func (s *jsonScanner) skipEscape() {
	s.pos++
	switch c := s.at(); c {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.pos++
	case 'u':
		for range 4 {
			s.pos++
			if c := s.at(); c-'0' > 9 && c|0x20-'a' > 5 {
				s.fail()
				return
			}
		}
		s.pos++
	default:
		s.fail()
	}
}

// skipRune passes over what is not ASCII.
func (s *jsonScanner) skipRune() {
	r, n := utf8.DecodeRune(s.b[s.pos:])
	if r == utf8.RuneError && n == 1 {
		s.fail()
		return
	}
	s.pos += n
}

// skipNested passes over an object or an array, without recursion: it may be nested deeply.
func (s *jsonScanner) skipNested() {
	s.nest = s.nest[:0]
	for {
		switch c := s.peek(); c {
		case '{', '[':
			if s.depth+len(s.nest) == maxJSONDepth {
				s.fail()
				return
			}
			s.nest = append(s.nest, c)
			s.pos++
			if s.peek() != c+2 { // } and ] come 2 after { and [
				s.memberName()
				continue
			}
		case '"':
			s.skipString()
		default:
			s.skipWord(c)
		}
		if s.closeNested(); s.failed || len(s.nest) == 0 {
			return
		}
	}
}

// closeNested leaves the objects and arrays that end here, and goes on to the next value of the one that does not.
func (s *jsonScanner) closeNested() {
	for n := len(s.nest); n > 0; n = len(s.nest) {
		switch s.peek() {
		case s.nest[n-1] + 2:
			s.pos++
			s.nest = s.nest[:n-1]
			continue
		case ',':
			s.pos++
			s.memberName()
		default:
			s.fail()
		}
		return
	}
}

// memberName passes over the name of the next value, which it has in an object.
func (s *jsonScanner) memberName() {
	if s.nest[len(s.nest)-1] != '{' {
		return
	}
	if s.peek() != '"' {
		s.fail()
		return
	}
	s.skipString()
	s.expect(':')
}
