package config

import (
	"net/url"
	"strings"
)

// Tracing says which traces of records are made and where they go.
type Tracing struct {
	// The URL of a collector that takes OTLP over HTTP, such as `https://collector:4318`; where it has no path, `/v1/traces` is meant. Empty:
	// nothing is traced.
	Endpoint string `mapstructure:"endpoint"`
	// Which share of the sources' records that come without a trace begins one: between 0 and 1. Records of a trace that is sampled are always
	// traced, those of one that is not never are.
	SampleRatio Number `mapstructure:"sample_ratio"`
	// What is sent with each request, such as a key of the collector's: name=value, several with commas between them.
	Headers Secret `mapstructure:"headers"`
	// A file that holds the headers, in place of the headers; there they may be on lines of their own.
	HeadersFile string `mapstructure:"headers_file"`
	// Send traces and headers without encryption: an endpoint that begins with `http://` is refused otherwise.
	Insecure bool `mapstructure:"insecure"`
}

func (t *Tracing) validate(p *Problems, at string) {
	if share, ok := t.SampleRatio.Value(); !ok || share < 0 || share > 1 {
		p.add(at+".sample_ratio", "%q is not between 0 and 1", string(t.SampleRatio))
	}
	checkHeaders(p, at+".headers", t.Headers)
	if t.Endpoint == "" {
		if t.Headers != "" || t.HeadersFile != "" || t.Insecure {
			p.add(at+".endpoint", "it is empty, but how to reach it is given")
		}
		return
	}
	u, err := url.Parse(t.Endpoint)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		p.add(at+".endpoint", "it is not an http or https address")
	case u.User != nil:
		p.add(at+".endpoint", "it holds a user name; use headers")
	case u.Scheme == "http" && !t.Insecure:
		p.add(at+".endpoint", "traces and headers would be sent to %s without encryption; if they may, set %s.insecure", shown(t.Endpoint), at)
	}
}

// URL returns where traces are sent.
func (t *Tracing) URL() string {
	u, err := url.Parse(t.Endpoint)
	if err == nil && strings.Trim(u.Path, "/") == "" {
		u.Path = "/v1/traces"
		return u.String()
	}
	return t.Endpoint
}

// HeaderValues returns the headers by name.
func (t *Tracing) HeaderValues() map[string]string {
	values := map[string]string{}
	for line := range splitHeaders(t.Headers) {
		name, value, _ := strings.Cut(line, "=")
		values[strings.TrimSpace(name)] = strings.TrimSpace(value)
	}
	return values
}

func splitHeaders(headers Secret) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for part := range strings.FieldsFuncSeq(headers.Reveal(), func(r rune) bool { return r == ',' || r == '\n' || r == '\r' }) {
			if strings.TrimSpace(part) != "" && !yield(part) {
				return
			}
		}
	}
}

// checkHeaders names no header: what is not written as one may be a secret.
func checkHeaders(p *Problems, path string, headers Secret) {
	n := 0
	for part := range splitHeaders(headers) {
		n++
		name, value, ok := strings.Cut(part, "=")
		if name = strings.TrimSpace(name); !ok || name == "" || strings.ContainsFunc(name, notInHeaderName) || strings.ContainsFunc(value, notInHeaderValue) {
			p.add(path, "the header number %d is not name=value", n)
		}
	}
}

func notInHeaderName(r rune) bool {
	return r <= ' ' || r > '~' || strings.ContainsRune(`()<>@,;:\"/[]?={}`, r)
}

func notInHeaderValue(r rune) bool { return r < ' ' || r > '~' }
