package config

import (
	"net"
	"net/netip"
	"strings"
)

// API says where the HTTP API and the page are served.
type API struct {
	// The address (host:port) of the HTTP API and the page; empty: none are served. Beyond this machine it needs a token.
	Address string `mapstructure:"address"`
	// What clients must send: `Authorization: Bearer TOKEN`. At least 16 characters. Without one, only requests from this machine
	// are answered.
	Token Secret `mapstructure:"token"`
	// A file that holds the token, in place of the token.
	TokenFile string `mapstructure:"token_file"`
	// How many requests are answered a second, of all clients together; for a moment twice as many.
	RequestsPerSecond int `mapstructure:"requests_per_second"`
}

// minToken is how long a token must be to be no matter of trying, in bytes.
const minToken = 16

func (a *API) validate(p *Problems, at string) {
	between(p, at+".requests_per_second", a.RequestsPerSecond, 1, 1_000_000)
	if a.Token != "" {
		checkToken(p, at+".token", a.Token)
	}
	if a.Address == "" {
		return
	}
	p.address(at+".address", a.Address, at+".token")
	if a.Token == "" && a.TokenFile == "" && !loopback(a.Address) {
		p.add(at+".address", "%s can be reached from other machines, and there is no token: name a file that holds one with %s.token_file, "+
			"or set PQLSTREAM_API_TOKEN; or bind to this machine only, such as 127.0.0.1:7480; or leave the API out with an empty address", shown(a.Address), at)
	}
}

func checkToken(p *Problems, path string, token Secret) {
	switch text := token.Reveal(); {
	case len(text) < minToken:
		p.add(path, "the token has %d bytes, at least %d are needed; `openssl rand -hex 32` makes a good one", len(text), minToken)
	case strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }):
		p.add(path, "the token has spaces, or characters beyond ASCII, which a header can't carry")
	}
}

// loopback says whether only the machine itself reaches an address.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return true // reported as no address
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback() || host == "localhost"
}
