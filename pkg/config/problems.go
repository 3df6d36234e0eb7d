package config

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
)

// Problem is one thing that is wrong with the settings.
type Problem struct {
	Path string // of the setting, such as kafka.brokers[0]
	Text string // what is wrong, and what to do where that isn't plain
}

// Problems is everything that is wrong with the settings, one line each.
type Problems []Problem

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.Path + ": " + problem.Text
	}
	return strings.Join(lines, "\n")
}

func (p *Problems) add(path, format string, args ...any) {
	*p = append(*p, Problem{Path: path, Text: fmt.Sprintf(format, args...)})
}

func (p Problems) has(path string) bool {
	return slices.ContainsFunc(p, func(problem Problem) bool { return problem.Path == path })
}

// err returns nil instead of an error that holds nothing.
func (p Problems) err() error {
	if len(p) == 0 {
		return nil
	}
	return p
}

// Unreadable says that a file with the settings, or one that they name, can't be read, or is not what it has to be.
type Unreadable struct{ Err error }

func (u *Unreadable) Error() string { return u.Err.Error() }

// Unwrap returns why.
func (u *Unreadable) Unwrap() error { return u.Err }

func unreadable(format string, args ...any) error { return &Unreadable{fmt.Errorf(format, args...)} }

func oneOf[T ~string](p *Problems, path string, value T, allowed ...T) {
	names := make([]string, len(allowed))
	for i, a := range allowed {
		if value == a {
			return
		}
		names[i] = string(a)
	}
	p.add(path, "%q is not one of %s", string(value), strings.Join(names, ", "))
}

// ordered is what between can compare and print.
type ordered interface{ ~int | ~int64 }

func between[T ordered](p *Problems, path string, value, least, most T) {
	if value < least || value > most {
		p.add(path, "%v is not between %v and %v", value, least, most)
	}
}

// address checks a host:port. password is the setting for what some write into addresses; empty: there is none.
func (p *Problems) address(path, address, password string) {
	host, port, err := net.SplitHostPort(address)
	switch {
	case mayHoldSecret(address) && password != "":
		p.add(path, "it is not host:port alone; for a password use %s", password)
	case err != nil || mayHoldSecret(address) || strings.ContainsAny(host, "/ "):
		p.add(path, "%s is not host:port", shown(address))
	default:
		if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
			p.add(path, "%q: the port is not between 0 and 65535", address)
		}
	}
}

// mayHoldSecret says whether an address has a part before its host or a query: there passwords and keys are written.
func mayHoldSecret(address string) bool { return strings.ContainsAny(address, "@?#") }

// shown is an address as messages have it, which end up in logs.
func shown(address string) string {
	if mayHoldSecret(address) {
		return "it"
	}
	return strconv.Quote(address)
}

// maxTopicName is in bytes.
const maxTopicName = 249

// topicName applies Kafka's own rules for names.
func (p *Problems) topicName(path, name string) {
	switch {
	case name == "":
		p.add(path, "it is empty")
	case name == "." || name == "..":
		p.add(path, "%q is a name that Kafka refuses", name)
	case len(name) > maxTopicName:
		p.add(path, "%q has %d bytes, Kafka allows %d", name, len(name), maxTopicName)
	case strings.IndexFunc(name, notInTopicName) >= 0:
		p.add(path, "%q has characters other than letters, digits, '.', '_' and '-'", name)
	}
}

func notInTopicName(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '_' && r != '-'
}

func index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }
