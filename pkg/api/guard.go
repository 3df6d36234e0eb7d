package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"math"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/time/rate"
)

// guard lets through what may be answered.
type guard struct {
	next  http.Handler
	token [sha256.Size]byte // digest of the token
	open  bool              // there is no token
	rate  *rate.Limiter
}

func newGuard(next http.Handler, l Limits) *guard {
	return &guard{
		next: next, token: sha256.Sum256([]byte(l.Token)), open: l.Token == "",
		rate: rate.NewLimiter(rate.Limit(l.RequestsPerSecond), max(1, int(math.Ceil(2*l.RequestsPerSecond)))),
	}
}

func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secure(w.Header())
	if p := g.check(r); p != nil {
		if p.Status == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", `Bearer realm="pqlstream"`)
		}
		writeProblem(w, *p)
		return
	}
	g.next.ServeHTTP(w, r)
}

// check returns why a request is not answered, nil if it is.
func (g *guard) check(r *http.Request) *problem {
	var p problem
	data := strings.HasPrefix(r.URL.Path, "/v1/") // what is beside is the page: the same files for everybody
	var wait time.Duration
	if data {
		wait = g.wait()
	}
	switch {
	case wait > 0:
		p = tooMany.because("the instance answers %v requests a second, of all clients together", float64(g.rate.Limit())).
			after(int(math.Ceil(wait.Seconds())))
	case r.ContentLength != 0:
		p = tooLarge.because("nothing here takes one")
	case g.open && !local(r.Host):
		p = forbidden.because("without a token only requests to this machine's own names are answered, not to %q: "+
			"use localhost, or set api.token_file", r.Host)
	case !g.open && data && !g.knows(r):
		p = unauthorized.because("send the instance's token: Authorization: Bearer TOKEN")
	default:
		return nil
	}
	return &p
}

// wait is for how long there are too many requests, 0 if there are not.
func (g *guard) wait() time.Duration {
	now := time.Now()
	reserved := g.rate.ReserveN(now, 1)
	wait := reserved.DelayFrom(now)
	if wait > 0 {
		reserved.CancelAt(now)
	}
	return wait
}

// knows says whether a request has the token. It takes as long whatever of the token is wrong.
func (g *guard) knows(r *http.Request) bool {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	given := sha256.Sum256([]byte(strings.TrimSpace(token)))
	return subtle.ConstantTimeCompare(given[:], g.token[:]) == 1 && strings.EqualFold(scheme, "Bearer")
}

// local says whether a request's host is a name of the machine itself. A page of another site that has its name resolved to this
// machine is not asked for by one, so that what nothing but the address protects can't be read by it.
func local(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	address, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && address.IsLoopback() || strings.EqualFold(host, "localhost")
}

// policy lets pages load and ask for nothing but what comes from here.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; " +
	"manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// secure sets what browsers are to do with all that is served.
func secure(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
}
