package api

import (
	"fmt"
	"net/http"
	"time"

	"github.com/pqlstream/pqlstream/pkg/codec"
)

const (
	heartbeat     = 15 * time.Second // between two signs of life of a stream
	writePatience = 10 * time.Second // for a client to take what is sent
)

// events sends leads as they come, until the client goes or the instance stops.
func (s *server) events(w http.ResponseWriter, r *http.Request) {
	stream, err := s.follow(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if r.Method == http.MethodHead {
		eventHeaders(w)
		return
	}
	select {
	case s.streams <- struct{}{}:
		defer func() { <-s.streams }()
	default:
		writeProblem(w, unavailable.because("%d clients follow this instance already, which is as many as it serves: try another instance",
			cap(s.streams)).after(10))
		return
	}
	eventHeaders(w)
	send := &sender{w: w, control: http.NewResponseController(w)}
	send.write(": this is pqlstream\n\n")
	for send.err == nil {
		e, err := stream.Next(r.Context(), heartbeat)
		switch {
		case err != nil:
			return
		case e == nil:
			send.write(":\n\n")
		default:
			send.write("id: " + e.ID + "\nevent: " + e.Type + "\ndata: " + string(e.Data) + "\n\n")
		}
	}
}

func (s *server) follow(r *http.Request) (*Stream, error) {
	if q := newQuery(r, nil, nil); q.err != nil {
		return nil, q.err
	}
	if s.parts.Leads == nil {
		return nil, fmt.Errorf("%w: this instance does not read the topic of PQL events", ErrUnavailable)
	}
	return s.parts.Leads.Follow(r.Header.Get("Last-Event-ID"))
}

func eventHeaders(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // or proxies keep events back
}

// sender writes to a client that may go away, or take nothing.
type sender struct {
	w       http.ResponseWriter
	control *http.ResponseController
	err     error
}

func (s *sender) write(text string) {
	if s.err = s.control.SetWriteDeadline(time.Now().Add(writePatience)); s.err != nil {
		return
	}
	if _, s.err = s.w.Write([]byte(text)); s.err == nil {
		s.err = s.control.Flush()
	}
}

// decodeLead makes the type and the JSON of a fact of what its record holds, in either format.
func decodeLead(value []byte) (factType string, data []byte, err error) {
	fact, detection, err := codec.DecodeFact(value)
	if err != nil {
		return "", nil, err
	}
	encoder, err := codec.NewFactEncoder(codec.JSON, 0)
	if err != nil {
		return "", nil, err
	}
	return string(fact.Type), encoder.AppendFact(nil, &fact, detection), nil
}
