package report

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/report/reporttest"
	"github.com/pqlstream/pqlstream/pkg/rollup"
)

// manyRows are so many as a year of 100,000 accounts has without hours, in so many groups as that takes.
const manyRows = 130_000

func benchRows(b *testing.B) []rollup.Row {
	b.Helper()
	few, err := reporttest.Rows()
	require.NoError(b, err)
	rows := make([]rollup.Row, 0, manyRows)
	for copied := 0; ; copied++ {
		for _, r := range few {
			if len(rows) == manyRows {
				return rows
			}
			if copied > 0 {
				r.Zone = fmt.Sprintf("Etc/GMT-%d", copied)
			}
			rows = append(rows, r)
		}
	}
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkViewPut is what a row takes, in time and, at the end, in memory.
func BenchmarkViewPut(b *testing.B) {
	rows := benchRows(b)
	before, v := allocated(), (*View)(nil)
	sketches := 0
	for i := range rows {
		sketches += len(rows[i].Sketch)
	}
	for b.Loop() {
		v = viewOf(rows)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(rows)), "ns/row")
	b.ReportMetric(float64(allocated()-before)/float64(v.Len()), "B/row")
	b.ReportMetric(float64(sketches)/float64(v.Len()), "B-of-sketches/row")
	runtime.KeepAlive(v)
	runtime.KeepAlive(rows)
}

// BenchmarkViewPage is what queries take that a page asks, and one that looks at everything and finds nothing.
func BenchmarkViewPage(b *testing.B) {
	v := viewOf(benchRows(b))
	weeks := Query{Units: []rollup.Unit{rollup.Week}, Zones: []string{"UTC"}}
	with := func(change func(*Query)) Query { q := weeks; change(&q); return q }
	last, err := v.Page(Query{Groupings: []string{"", "tier"}}, "", manyRows-100)
	require.NoError(b, err)
	for _, c := range []struct {
		name   string
		query  Query
		cursor string
	}{
		{"one metric of weeks", with(func(q *Query) { q.Metrics = []string{rollup.MetricPQLRate} }), ""},
		{"one metric since a day", with(func(q *Query) { q.Metrics = []string{rollup.MetricPQLRate}; q.From, _ = ParseBound("2025-05-01") }), ""},
		{"a thousand rows", Query{Groupings: []string{"", "tier"}}, ""},
		{"the last page", Query{Groupings: []string{"", "tier"}}, last.Next},
		{"nothing since a day", Query{Groupings: []string{"", "tier"}, From: func() Bound { t, _ := ParseBound("2030-01-01"); return t }()}, ""},
		{"nothing of the metric", with(func(q *Query) { q.Metrics = []string{rollup.MetricOther} }), ""},
	} {
		b.Run(c.name, func(b *testing.B) {
			n := 0
			for b.Loop() {
				p, err := v.Page(c.query, c.cursor, 1000)
				require.NoError(b, err)
				n = len(p.Rows)
			}
			b.ReportMetric(float64(n), "rows")
		})
	}
	b.Run("contents", func(b *testing.B) {
		for b.Loop() {
			v.Contents()
		}
	})
}
