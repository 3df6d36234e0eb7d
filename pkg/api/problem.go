package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/pqlstream/pqlstream/pkg/inspect"
)

// problem is an error for clients (RFC 9457).
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`

	retry int // seconds after which trying again may help; 0: it does not help
}

// The kinds of problems.
var (
	badQuery         = kind("bad-query", http.StatusBadRequest, "The request can't be understood")
	unauthorized     = kind("unauthorized", http.StatusUnauthorized, "The token is missing or another")
	forbidden        = kind("foreign-host", http.StatusForbidden, "The request is to another host")
	foreignSite      = kind("foreign-site", http.StatusForbidden, "The request comes from another site's page")
	notFound         = kind("not-found", http.StatusNotFound, "There is nothing here")
	noAccount        = kind("no-such-account", http.StatusNotFound, "No such account")
	methodNotAllowed = kind("method-not-allowed", http.StatusMethodNotAllowed, "Nothing can be changed here")
	tooLarge         = kind("body", http.StatusRequestEntityTooLarge, "The request has a body")
	tooMany          = kind("too-many-requests", http.StatusTooManyRequests, "Too many requests")
	internal         = kind("internal", http.StatusInternalServerError, "Something went wrong")
	unavailable      = kind("not-available", http.StatusServiceUnavailable, "There is no answer now")
)

func kind(name string, status int, title string) problem {
	return problem{Type: "urn:pqlstream:problem:" + name, Title: title, Status: status}
}

// because is the problem with what was wrong this time.
func (p problem) because(format string, args ...any) problem {
	p.Detail = fmt.Sprintf(format, args...)
	return p
}

// after is the problem with the seconds after which to try again.
func (p problem) after(seconds int) problem {
	p.retry = seconds
	return p
}

// Refuse answers a request to the page with the problem of a status: 405 where the method is none for what there is, otherwise 404. What the
// method may be is in Allow by then.
func Refuse(w http.ResponseWriter, r *http.Request, status int) {
	if status == http.StatusMethodNotAllowed {
		writeProblem(w, methodNotAllowed.because("%s is not for %s: everything here is read only", r.Method, r.URL.Path))
		return
	}
	writeProblem(w, notFound.because("there is nothing at %s", r.URL.Path))
}

func writeProblem(w http.ResponseWriter, p problem) {
	body, err := json.Marshal(p)
	if err != nil {
		panic("api: a problem is texts and numbers: " + err.Error())
	}
	h := w.Header()
	if p.retry > 0 {
		h.Set("Retry-After", strconv.Itoa(p.retry))
	}
	h.Set("Content-Type", "application/problem+json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	_, _ = w.Write(body) // fails only when the client has gone
}

// problemOf says which problem an error of a part is, and whether it is ours rather than the client's.
func problemOf(err error) (p problem, ours bool) {
	switch {
	case errors.Is(err, ErrQuery), errors.Is(err, inspect.ErrQuery):
		return badQuery.because("%v", err), false
	case errors.Is(err, inspect.ErrNoAccount):
		return noAccount.because("%v", err), false
	case errors.Is(err, ErrNotFound):
		return notFound.because("%v", err), false
	case errors.Is(err, ErrUnavailable), errors.Is(err, inspect.ErrNotReady):
		return unavailable.because("%v", err).after(1), false
	case errors.Is(err, context.DeadlineExceeded):
		return unavailable.because("there was no answer within %v: try again, or ask for less", answerTimeout).after(1), true
	case errors.Is(err, context.Canceled):
		return unavailable.because("the request was given up").after(1), false
	}
	return internal.because("the instance's log says what went wrong"), true
}
