package api

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"unicode/utf8"
)

// query reads the parameters of a request. The first that is wrong is kept.
type query struct {
	values url.Values
	err    error
}

// newQuery refuses parameters that can't be read, that are not known, and those given twice that are not among the lists.
func newQuery(r *http.Request, known, lists []string) *query {
	values, err := url.ParseQuery(r.URL.RawQuery)
	q := &query{values: values}
	if err != nil {
		q.wrong("the query can't be read: %v", err)
	}
	for name, all := range values {
		isList := slices.Contains(lists, name)
		switch {
		case !isList && !slices.Contains(known, name):
			q.wrong("%q is no parameter of %s", name, r.URL.Path)
		case !isList && len(all) > 1:
			q.wrong("%s is given %d times", name, len(all))
		}
		for _, v := range all {
			if !utf8.ValidString(v) {
				q.wrong("%s is not UTF-8", name)
			}
		}
	}
	return q
}

func (q *query) wrong(format string, args ...any) {
	if q.err == nil {
		q.err = fmt.Errorf("%w: "+format, append([]any{ErrQuery}, args...)...)
	}
}

// text returns a text of at most so many bytes; one that is given is not empty.
func (q *query) text(name string, most int) string {
	all, given := q.values[name]
	if !given {
		return ""
	}
	q.bounded(name, all[0], most)
	return all[0]
}

func (q *query) bounded(name, value string, most int) {
	switch {
	case value == "":
		q.wrong("%s is empty", name)
	case len(value) > most:
		q.wrong("%s has %d bytes, at most %d are possible", name, len(value), most)
	}
}

// texts returns a list of at most so many texts of at most so many bytes.
func (q *query) texts(name string, many, most int) []string {
	all := q.values[name]
	if len(all) > many {
		q.wrong("%s is given %d times, at most %d are possible", name, len(all), many)
	}
	for _, v := range all {
		q.bounded(name, v, most)
	}
	return all
}

// number returns a whole number within bounds, or what it is when it is not given.
func (q *query) number(name string, otherwise, least, most int64) int64 {
	text, given := q.values[name]
	if !given {
		return otherwise
	}
	n, err := strconv.ParseInt(text[0], 10, 64)
	if err != nil || n < least || n > most {
		q.wrong("%s: %q is not a whole number between %d and %d", name, text[0], least, most)
	}
	return n
}

// flag returns whether something is wanted.
func (q *query) flag(name string) bool {
	switch q.values.Get(name) {
	case "", "false":
		if !q.values.Has(name) || q.values.Get(name) == "false" {
			return false
		}
	case "true":
		return true
	}
	q.wrong("%s: %q is neither true nor false", name, q.values.Get(name))
	return false
}

// order returns whether the oldest come first: sort names a field, with a minus before it for the newest first.
func (q *query) order(field string) (oldest bool) {
	switch sort := q.values.Get("sort"); {
	case sort == field:
		return true
	case sort != "-"+field && q.values.Has("sort"):
		q.wrong("sort: %q is neither -%s nor %s", sort, field, field)
	}
	return false
}
