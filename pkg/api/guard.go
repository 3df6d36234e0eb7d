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

// refusalsPerSecond is how many requests a second are told why they are not answered; for a moment twice as many.
const refusalsPerSecond = 10

// guard lets through what may be answered.
type guard struct {
	next     http.Handler
	token    [sha256.Size]byte // digest of the token
	open     bool              // there is no token
	rate     *rate.Limiter     // of what may be answered: nobody else takes of it
	refusals *rate.Limiter     // of the rest, so that who guesses is slowed down
}

func newGuard(next http.Handler, l Limits) *guard {
	return &guard{
		next: next, token: sha256.Sum256([]byte(l.Token)), open: l.Token == "",
		rate: newLimiter(l.RequestsPerSecond), refusals: newLimiter(refusalsPerSecond),
	}
}

// newLimiter allows so many a second, and for a moment twice as many.
func newLimiter(perSecond float64) *rate.Limiter {
	return rate.NewLimiter(rate.Limit(perSecond), max(1, int(math.Ceil(2*perSecond))))
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
	if unclean(r.URL.EscapedPath()) {
		writeProblem(w, notFound.because("there is nothing at %s: no segment of a path is empty, . or ..; "+
			"where one of these is the name of an account, write %%2E or %%2E%%2E", r.URL.Path))
		return
	}
	g.next.ServeHTTP(w, r)
}

// unclean says whether a path has segments that clients and proxies take out, each in their own way. It is no path of anything: to lead on
// from it, as the router would, answers what was not asked for.
func unclean(path string) bool {
	segments := strings.Split(path, "/")
	if segments[0] != "" || len(segments) == 1 {
		return true // it is not from the root
	}
	for i, s := range segments[1:] {
		if s == "." || s == ".." || s == "" && i < len(segments)-2 {
			return true
		}
	}
	return false
}

// check returns why a request is not answered, nil if it is.
func (g *guard) check(r *http.Request) *problem {
	data := strings.HasPrefix(r.URL.Path+"/", "/v1/") // what is beside is the page: the same files for everybody
	p := g.refuse(r, data)
	if p == nil && !data {
		return nil
	}
	limiter, what := g.rate, "the instance answers %v requests a second, of all clients together"
	if p != nil {
		limiter, what = g.refusals, "more than %v requests a second are none that may be answered: is the token another?"
	}
	if after := wait(limiter); after > 0 {
		p = new(tooMany.because(what, float64(limiter.Limit())).after(int(math.Ceil(after.Seconds()))))
	}
	return p
}

// refuse returns why a request may not be answered at all, nil if it may.
func (g *guard) refuse(r *http.Request, data bool) *problem {
	var p problem
	switch {
	case r.ContentLength != 0:
		p = tooLarge.because("nothing here takes one")
	case g.open && !local(r.Host):
		p = forbidden.because("without a token only requests to this machine's own names are answered, not to %q: "+
			"use localhost, or set api.token_file", r.Host)
	case g.open && data && r.Header.Get("Sec-Fetch-Site") == "cross-site":
		p = foreignSite.because("without a token no page of another site is answered: open the address itself, or set api.token_file")
	case !g.open && data && !g.knows(r):
		p = unauthorized.because("send the instance's token: Authorization: Bearer TOKEN")
	default:
		return nil
	}
	return &p
}

// wait takes one of what a limiter allows. It returns for how long there is none, 0 if there was one.
func wait(l *rate.Limiter) time.Duration {
	now := time.Now()
	reserved := l.ReserveN(now, 1)
	delay := reserved.DelayFrom(now)
	if delay > 0 {
		reserved.CancelAt(now)
	}
	return delay
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
