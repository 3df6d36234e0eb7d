package usage

import (
	"errors"
	"strings"
)

// Path leads to a value within a source record: the names of nested fields or map keys, from the outside in.
// The empty Path leads nowhere.
type Path []string

// ParsePath reads a dotted path, such as context.groupId. A backslash makes the dot or backslash after it a part of the
// name.
func ParsePath(s string) (Path, error) {
	var path Path
	var name strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '.':
			path = append(path, name.String())
			name.Reset()
		case '\\':
			i++
			if i == len(s) || s[i] != '.' && s[i] != '\\' {
				return nil, errors.New(`a backslash must be followed by a dot or a backslash`)
			}
			name.WriteByte(s[i])
		default:
			name.WriteByte(c)
		}
	}
	path = append(path, name.String())
	return path, path.validate()
}

// String is the dotted path that ParsePath reads.
func (p Path) String() string {
	escape := strings.NewReplacer(`\`, `\\`, `.`, `\.`)
	names := make([]string, len(p))
	for i, name := range p {
		names[i] = escape.Replace(name)
	}
	return strings.Join(names, ".")
}

func (p Path) validate() error {
	for _, name := range p {
		if name == "" {
			return errors.New("a name in the path is empty")
		}
	}
	return nil
}
