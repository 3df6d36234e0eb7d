package codec

import (
	"encoding/json"
	"strings"
	"unsafe"
)

// jsonScanner walks over a JSON document that is known to be valid.
type jsonScanner struct {
	b   []byte
	pos int
}

// peek returns the first byte of the next value, which says of what kind it is, or the next punctuation.
func (s *jsonScanner) peek() byte {
	for {
		switch c := s.b[s.pos]; c {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return c
		}
	}
}

// open enters an object and says whether it has a member.
func (s *jsonScanner) open() bool {
	s.peek()
	s.pos++ // {
	return s.nextMember()
}

// next goes on to an object's next member, if there is one; else it leaves the object.
func (s *jsonScanner) next() bool {
	if s.peek() == ',' {
		s.pos++
	}
	return s.nextMember()
}

func (s *jsonScanner) nextMember() bool {
	if s.peek() != '}' {
		return true
	}
	s.pos++
	return false
}

// name reads a member's name and goes on to its value.
func (s *jsonScanner) name() string {
	s.peek()
	name := unquote(s.token())
	s.peek()
	s.pos++ // :
	return name
}

// token passes over a value and returns it as it is written; it aliases the document.
func (s *jsonScanner) token() string {
	s.peek()
	start := s.pos
	s.skip()
	return unsafe.String(&s.b[start], s.pos-start)
}

// skip passes over a value.
func (s *jsonScanner) skip() {
	switch s.peek() {
	case '"':
		s.skipString()
	case '{', '[':
		s.skipNested()
	default:
		s.skipWord()
	}
}

func (s *jsonScanner) skipString() {
	for s.pos++; s.b[s.pos] != '"'; s.pos++ {
		if s.b[s.pos] == '\\' {
			s.pos++
		}
	}
	s.pos++
}

// skipNested passes over an object or an array, without recursion: it may be nested deeply.
func (s *jsonScanner) skipNested() {
	for depth := 0; ; {
		switch s.b[s.pos] {
		case '"':
			s.skipString()
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		s.pos++
		if depth == 0 {
			return
		}
	}
}

// skipWord passes over a number, true, false or null.
func (s *jsonScanner) skipWord() {
	for ; s.pos < len(s.b); s.pos++ {
		switch s.b[s.pos] {
		case ',', '}', ']', ' ', '\t', '\n', '\r':
			return
		}
	}
}

// unquote returns what a string token means. It aliases the token unless that has escapes.
func unquote(token string) string {
	inner := token[1 : len(token)-1]
	if strings.IndexByte(inner, '\\') < 0 {
		return inner
	}
	var s string
	// A token of a valid document can't fail.
	_ = json.Unmarshal([]byte(token), &s)
	return s
}
