package rollup

import (
	"cmp"
	"slices"
	"strings"
)

// BatchBytes is how large a batch is at most.
const BatchBytes = 64 << 10

// Flush emits what was gathered since the last Flush, by groupings, in batches that AppendBatch has made, and forgets it. What comes
// out is the same, in the same order, whatever the order in which it was gathered. The batches are the receiver's.
func (m *Measure) Flush(emit func(grouping string, batch []byte)) {
	p := projection{measure: m, wordRank: ranks(m.words.texts, strings.Compare)}
	for g, name := range m.groupings.names {
		p.project(g)
		p.sort()
		p.each(func(deltas []Delta) { emit(name, AppendBatch(nil, deltas)) })
	}
	clear(m.gathered)
	m.places.clear()
	m.words.clear()
}

// projection is what was gathered, as one grouping sees it.
type projection struct {
	measure  *Measure
	wordRank []int // of words by their numbers
	lines    []line

	groups    [][]string     // the values of each group
	numbers   map[string]int // of groups, by their encoded values
	groupRank []int
	of        [][]int // the groups of each place
	deltas    []Delta
}

// line is one counter of one group.
type line struct {
	group  int
	window int // rank among windows
	counter
	n int64
}

// ranks returns where each item is once they are in order. Items are counted from 1, as their names are; so are ranks.
func ranks[T any](items []T, compare func(a, b T) int) []int {
	order := make([]int, len(items))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return compare(items[a], items[b]) })
	rank := make([]int, len(items)+1)
	for at, i := range order {
		rank[i+1] = at + 1
	}
	return rank
}

// project lists what a grouping sees.
func (p *projection) project(grouping int) {
	m := p.measure
	p.lines, p.groups, p.numbers = p.lines[:0], p.groups[:0], map[string]int{}
	p.of = p.of[:0]
	for _, place := range m.places.texts {
		p.of = append(p.of, p.number(m.groupings.groups(grouping, place)))
	}
	for k, n := range m.gathered {
		from := p.of[k.place-1]
		if k.to == 0 {
			p.list(k, from, nil, n)
			continue
		}
		to := p.of[k.to-1]
		k.to = 0
		p.list(k, to, from, n)
		k.kind = Out
		p.list(k, from, to, n)
	}
}

func (p *projection) number(groups [][]string) []int {
	numbers := make([]int, 0, len(groups))
	for _, values := range groups {
		var key []byte
		for _, v := range values {
			key = appendText(key, v)
		}
		number, ok := p.numbers[string(key)]
		if !ok {
			p.groups = append(p.groups, values)
			number = len(p.groups)
			p.numbers[string(key)] = number
		}
		numbers = append(numbers, number)
	}
	return numbers
}

// list adds a counter to the lines of some groups, except others.
func (p *projection) list(k counter, groups, except []int, n int64) {
	for _, group := range groups {
		if !slices.Contains(except, group) {
			p.lines = append(p.lines, line{group: group, window: p.measure.windowRank[k.window], counter: k, n: n})
		}
	}
}

// sort brings the lines into the order of batches, and adds up those of one counter.
func (p *projection) sort() {
	p.groupRank = ranks(p.groups, slices.Compare[[]string])
	slices.SortFunc(p.lines, func(a, b line) int { return p.compare(&a, &b) })
	sums := p.lines[:0]
	for i := range p.lines {
		l := p.lines[i]
		if last := len(sums) - 1; last >= 0 && p.compare(&sums[last], &l) == 0 {
			sums[last].n += l.n
		} else {
			sums = append(sums, l)
		}
	}
	p.lines = slices.DeleteFunc(sums, func(l line) bool { return l.n == 0 })
}

func (p *projection) compare(a, b *line) int {
	return cmp.Or(cmp.Compare(p.groupRank[a.group], p.groupRank[b.group]), cmp.Compare(a.window, b.window), cmp.Compare(a.start, b.start),
		cmp.Compare(a.kind, b.kind), cmp.Compare(p.wordRank[a.word], p.wordRank[b.word]), cmp.Compare(a.number, b.number), cmp.Compare(a.why, b.why))
}

// each hands on the lines as deltas, no more at a time than fit a batch.
func (p *projection) each(do func(deltas []Delta)) {
	p.deltas = p.deltas[:0]
	bytes, named := batchOverhead, make([]bool, len(p.measure.words.texts)+1)
	for i := range p.lines {
		d := p.delta(&p.lines[i])
		var before *Delta
		if n := len(p.deltas); n > 0 {
			before = &p.deltas[n-1]
		}
		size := d.bound(before) + nameBound(d.Cell.Name)
		if named[p.lines[i].word] {
			size -= nameBound(d.Cell.Name)
		}
		if bytes+size > BatchBytes && before != nil {
			do(p.deltas)
			p.deltas = p.deltas[:0]
			clear(named)
			bytes, size = batchOverhead, d.bound(nil)+nameBound(d.Cell.Name)
		}
		bytes += size
		named[p.lines[i].word] = true
		p.deltas = append(p.deltas, d)
	}
	if len(p.deltas) > 0 {
		do(p.deltas)
	}
}

func (p *projection) delta(l *line) Delta {
	m := p.measure
	d := Delta{
		Values: p.groups[l.group-1], At: m.target(l.counter.window, l.start), Cell: Cell{Kind: l.kind, Number: l.number}, Why: l.why, N: l.n,
	}
	if l.word > 0 {
		d.Cell.Name = m.words.texts[l.word-1]
	}
	return d
}
