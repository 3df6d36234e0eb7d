package checklist

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Names are found, and no others, whatever their length and wherever they differ.
func TestNames(t *testing.T) {
	listeners, others := map[string]*Listener{}, []string{""}
	add := func(name string) {
		if len(listeners) <= len(others) {
			listeners[name] = &Listener{Event: name}
		} else {
			others = append(others, name)
		}
	}
	for n := 1; n < 40; n++ {
		for at := range n {
			for _, c := range "ab\x00\xff" {
				add(strings.Repeat("x", at) + string(c) + strings.Repeat("x", n-at-1))
			}
		}
	}
	for n := range 5_000 {
		add(fmt.Sprintf("com.example.event.%04d.created", n))
	}
	found := newNames(listeners)
	for name, l := range listeners {
		require.Same(t, l, found.listener(name), "%q", name)
	}
	for _, name := range others {
		require.Nil(t, found.listener(name), "%q", name)
	}

	longest, run := 0, 0
	for _, s := range found.slots {
		if run++; s.listener == nil {
			run = 0
		}
		longest = max(longest, run)
	}
	assert.Less(t, longest, 10, "names lie in a heap")
}

func TestNoNames(t *testing.T) {
	none := newNames(nil)
	require.Nil(t, none.listener(""))
	require.Nil(t, none.listener("x"))
}

func BenchmarkListener(b *testing.B) {
	c, err := compiled(good)
	require.NoError(b, err)
	events := []string{"account_created", "page_viewed", "project_created", "export_downloaded", "session_started", "integration_connected"}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		c.Listener(events[i%len(events)])
	}
}
