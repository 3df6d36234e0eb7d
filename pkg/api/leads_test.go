package api

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/codec"
)

// fact is a record's value of the topic of PQL events.
func fact(t *testing.T, id string) []byte {
	encoder, err := codec.NewFactEncoder(codec.JSON, 0)
	require.NoError(t, err)
	v := everything(id)
	v.Type, v.ID, v.Cause = account.Qualified, id, account.ByEvent
	return encoder.AppendFact(nil, &v.Fact, codec.Detection{DetectedAt: 7})
}

// next returns the accounts of the next so many events, and the id of the last.
func next(t *testing.T, s *Stream, n int) (accounts []string, id string) {
	t.Helper()
	for range n {
		e, err := s.Next(t.Context(), time.Minute)
		require.NoError(t, err)
		require.NotNil(t, e)
		id = e.ID
		if e.Type == gap {
			accounts = append(accounts, gap)
			continue
		}
		holdSchema(t, "PqlEvent", e.Data)
		_, account, _ := strings.Cut(string(e.Data), `"account_id":"`)
		account, _, _ = strings.Cut(account, `"`)
		accounts = append(accounts, account)
	}
	return accounts, id
}

// nothing says that there is no event.
func nothing(t *testing.T, s *Stream) {
	t.Helper()
	e, err := s.Next(t.Context(), time.Nanosecond)
	require.NoError(t, err)
	assert.Nil(t, e)
}

func follow(t *testing.T, l *Leads, after string) *Stream {
	t.Helper()
	s, err := l.Follow(after)
	require.NoError(t, err)
	return s
}

func TestAClientSeesWhatComesFromThenOn(t *testing.T) {
	l := NewLeads()
	_, err := l.Follow("")
	require.ErrorIs(t, err, ErrUnavailable)
	l.Begin(1, []int64{0, 0}, []int64{0, 0})
	l.Add(0, 0, fact(t, "before"))
	s := follow(t, l, "")
	nothing(t, s)
	l.Add(1, 0, fact(t, "a"))
	l.Add(0, 5, fact(t, "b"))
	got, _ := next(t, s, 2)
	assert.Equal(t, []string{"a", "b"}, got)
	nothing(t, s)
	l.Close()
	l.Close()
	_, err = s.Next(t.Context(), time.Minute)
	require.ErrorIs(t, err, ErrUnavailable)
}

// What an instance reads first is past: a client that has come without an id is told none of it, whenever that is read.
func TestANewClientIsNotToldThePast(t *testing.T) {
	l := NewLeads()
	l.Begin(1, []int64{0, 0}, []int64{2, 0})
	early := follow(t, l, "")
	l.Add(0, 0, fact(t, "long-ago"))
	later := follow(t, l, "")
	l.Begin(1, []int64{0, 0}, []int64{2, 0}) // reading begins anew after a trouble
	anew := follow(t, l, "")
	l.Add(0, 0, fact(t, "long-ago"))
	l.Add(0, 1, fact(t, "before"))
	for _, s := range []*Stream{early, later, anew} {
		nothing(t, s)
	}
	l.Add(1, 0, fact(t, "a"))
	l.Add(0, 2, fact(t, "b"))
	for _, s := range []*Stream{early, later, anew, follow(t, l, early.position())} {
		got, _ := next(t, s, 2)
		assert.Equal(t, []string{"a", "b"}, got)
		nothing(t, s)
	}
}

// Two instances read the partitions in other orders. A client that goes from one to the other misses nothing and sees nothing twice.
func TestAClientGoesOnAtAnotherInstance(t *testing.T) {
	one, other := NewLeads(), NewLeads()
	for _, l := range []*Leads{one, other} {
		l.Begin(1, []int64{0, 10}, []int64{0, 10})
	}
	s := follow(t, one, "")
	one.Add(0, 0, fact(t, "a"))
	one.Add(1, 10, fact(t, "b"))
	one.Add(0, 1, fact(t, "c"))
	other.Add(1, 10, fact(t, "b"))
	other.Add(1, 13, fact(t, "d"))
	got, id := next(t, s, 2)
	assert.Equal(t, []string{"a", "b"}, got)

	s = follow(t, other, id)
	got, _ = next(t, s, 1)
	assert.Equal(t, []string{"d"}, got, "a and b have been seen; a has not even come here yet")
	other.Add(0, 0, fact(t, "a"))
	other.Add(0, 1, fact(t, "c"))
	got, id = next(t, s, 1)
	assert.Equal(t, []string{"c"}, got)
	s = follow(t, one, id)
	one.Add(1, 13, fact(t, "d"))
	one.Add(1, 14, fact(t, "e"))
	got, _ = next(t, s, 1)
	assert.Equal(t, []string{"e"}, got)
}

// What an instance has forgotten, or what nobody could read, is told as a gap, once.
func TestGapsAreTold(t *testing.T) {
	l := NewLeads()
	l.Begin(1, []int64{5}, []int64{5})
	start := follow(t, l, "")
	first := start.position()
	for i := range Remembered + 2 {
		l.Add(0, int64(5+i), fact(t, fmt.Sprint(i)))
	}
	for _, s := range []*Stream{start, follow(t, l, first)} {
		got, _ := next(t, s, 2)
		assert.Equal(t, []string{gap, "2"}, got)
	}

	earlier := (&Stream{topic: 1, seen: []int64{4}}).position()
	s := follow(t, l, earlier)
	got, _ := next(t, s, 2)
	assert.Equal(t, []string{gap, "2"}, got)

	s = follow(t, l, (&Stream{topic: 2, seen: []int64{900}}).position())
	got, _ = next(t, s, 2)
	assert.Equal(t, []string{gap, "2"}, got, "of another topic of that name")
	got, _ = next(t, s, 1)
	assert.Equal(t, []string{"3"}, got)

	s = follow(t, l, "")
	l.Add(0, 2000, []byte("nonsense"))
	l.Add(0, 2001, fact(t, "later"))
	got, _ = next(t, s, 2)
	assert.Equal(t, []string{gap, "later"}, got)

	l.Begin(3, []int64{0, 0}, []int64{0, 0})
	l.Add(1, 0, fact(t, "anew"))
	got, _ = next(t, s, 2)
	assert.Equal(t, []string{gap, "anew"}, got)
	nothing(t, s)
}

func TestIDsThatAreNoneAreRefused(t *testing.T) {
	l := NewLeads()
	l.Begin(1, []int64{0}, []int64{0})
	for _, id := range []string{"x", "?", "AAAAAYA", "AAAAAYCAgICAgICAgICA"} {
		_, err := l.Follow(id)
		require.ErrorIs(t, err, ErrQuery, id)
	}
}

// A client that waits is woken by what comes, and by its own going.
func TestAClientWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLeads()
		l.Begin(1, []int64{0}, []int64{0})
		s := follow(t, l, "")
		ctx, stop := context.WithCancel(t.Context())
		came := make(chan *Event)
		go func() {
			for {
				e, err := s.Next(ctx, heartbeat)
				if err != nil {
					close(came)
					return
				}
				came <- e
			}
		}()
		assert.Nil(t, <-came, "nothing for as long as the patience")
		synctest.Wait()
		l.Add(0, 0, fact(t, "a"))
		assert.Equal(t, "qualified", (<-came).Type)
		stop()
		_, more := <-came
		assert.False(t, more)
	})
}

func TestEventsAreStreamed(t *testing.T) {
	l := NewLeads()
	l.Begin(1, []int64{0}, []int64{0})
	s := serveParts(t, Parts{Leads: l}, plenty)
	open := func(headers ...string) (*bufio.Scanner, func()) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/v1/pqls/events", nil)
		require.NoError(t, err)
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		response, err := s.client.Do(r) //nolint:bodyclose // who opens it shuts it
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, response.StatusCode)
		assert.Equal(t, "text/event-stream", response.Header.Get("Content-Type"))
		lines := bufio.NewScanner(response.Body)
		require.True(t, lines.Scan())
		assert.Equal(t, ": this is pqlstream", lines.Text())
		require.True(t, lines.Scan())
		return lines, func() { require.NoError(t, response.Body.Close()) }
	}
	lines, shut := open()
	l.Add(0, 0, fact(t, "acme"))
	l.Add(0, 1, fact(t, "other"))
	var read [4]string
	for i := range read {
		require.True(t, lines.Scan())
		read[i] = lines.Text()
	}
	id, is := strings.CutPrefix(read[0], "id: ")
	assert.True(t, is)
	assert.Equal(t, "event: qualified", read[1])
	assert.Equal(t, "data: "+string(fact(t, "acme")), read[2])
	assert.Empty(t, read[3])
	again, shutAgain := open("Last-Event-ID", id)
	for again.Scan() && !strings.HasPrefix(again.Text(), "data: ") {
	}
	assert.Equal(t, "data: "+string(fact(t, "other")), again.Text())

	status, detail := s.problem("/v1/pqls/events")
	assert.Equal(t, http.StatusServiceUnavailable, status)
	assert.Contains(t, detail, "2 clients")
	shut()
	shutAgain()
	require.Eventually(t, func() bool { // a place is free again once the instance notices
		l.Add(0, 2, fact(t, "x"))
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/v1/pqls/events", nil)
		require.NoError(t, err)
		response, err := s.client.Do(r)
		require.NoError(t, err)
		defer response.Body.Close()
		return response.StatusCode == http.StatusOK
	}, time.Minute, 5*time.Millisecond)
	status, _ = s.problem("/v1/pqls/events", "Last-Event-ID", "nonsense!")
	assert.Equal(t, http.StatusBadRequest, status)
	response, body := s.do(http.MethodHead, "/v1/pqls/events")
	assert.Equal(t, http.StatusOK, response.StatusCode)
	assert.Empty(t, body)
	l.Close()
}

// The server's patience for requests is none for streams: a client that listens says nothing.
func TestAStreamOutlastsTheServersTimeouts(t *testing.T) {
	l := NewLeads()
	defer l.Close()
	l.Begin(1, []int64{0}, []int64{0})
	server := httptest.NewUnstartedServer(New(Parts{Leads: l}, plenty, quiet()))
	server.Config.ReadTimeout, server.Config.WriteTimeout = 50*time.Millisecond, 50*time.Millisecond
	server.Start()
	defer server.Close()
	response, err := http.Get(server.URL + "/v1/pqls/events")
	require.NoError(t, err)
	defer response.Body.Close()
	lines, value := bufio.NewScanner(response.Body), fact(t, "acme")
	start := time.Now()
	for offset := int64(0); time.Since(start) < 5*server.Config.ReadTimeout; offset++ {
		l.Add(0, offset, value)
		for line := ""; !strings.HasPrefix(line, "data: "); line = lines.Text() {
			require.True(t, lines.Scan(), "it ended after %v", time.Since(start))
		}
	}
}
