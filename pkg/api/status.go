package api

import "net/http"

func (s *server) status(r *http.Request) (any, error) {
	if q := newQuery(r, nil, nil); q.err != nil {
		return nil, q.err
	}
	return s.parts.Status.Status(), nil
}
