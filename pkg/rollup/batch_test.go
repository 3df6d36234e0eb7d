package rollup

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestABatchIsReadAsItWasWritten(t *testing.T) {
	large, small := []string{"large", "pro"}, []string{"small", ""}
	month := Target{Start: 1_709_247_600_000, Unit: Month, Zone: "Europe/Berlin"}
	deltas := []Delta{
		{large, SlotOf(0), Cell{Kind: In, Name: "qualified"}, Ordinary, 3},
		{large, SlotOf(1_709_251_200_000), Cell{Kind: TimeToPQL, Number: -7}, Ordinary, 1},
		{large, SlotOf(1_709_251_200_000), Cell{Kind: TimeToPQL, Number: -7}, Late, 2},
		{large, SlotOf(1_709_251_200_000), Cell{Kind: StepTimeSum, Name: "invited_team"}, Ordinary, 123_456_789},
		{large, month, Cell{Kind: Accounts}, ByMerge, -1},
		{small, SlotOf(-1), Cell{Kind: In, Name: "qualified"}, Ordinary, -3},
	}
	b := AppendBatch(nil, deltas)
	assert.Less(t, len(b), 120)
	got, err := DecodeBatch(nil, b)
	require.NoError(t, err)
	assert.Equal(t, deltas, got)

	got, err = DecodeBatch(deltas[:1], AppendBatch(nil, nil))
	require.NoError(t, err)
	assert.Equal(t, deltas[:1], got)
}

// What is cut short, has something behind it, or differs from what would be written is no batch.
func TestNothingElseIsABatch(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 40 {
		deltas := randomBatch(random)
		b := AppendBatch(nil, deltas)
		for i := range b {
			if _, err := DecodeBatch(nil, b[:i]); i > 0 && err == nil {
				canonical(t, b[:i])
			}
			changed := slices.Clone(b)
			changed[i] ^= 1 << random.IntN(8)
			canonical(t, changed)
		}
	}
}

// A group, a target or a cell that comes twice, or too early, is refused.
func TestABatchIsInOrder(t *testing.T) {
	head := []byte{batchLayout, 1, 0}
	cell := []byte{byte(Accounts), 0, 0, 0, 2}
	target := append([]byte{0, 0, 4, 1}, cell...)
	group := func(value string, targets ...[]byte) []byte {
		return append(appendUint(appendText(nil, value), uint64(len(targets))), slices.Concat(targets...)...)
	}
	for name, test := range map[string]struct {
		good bool
		b    []byte
	}{
		"groups":           {true, slices.Concat(head, group("a", target), group("b", target))},
		"group twice":      {false, slices.Concat(head, group("a", target), group("a", target))},
		"groups backwards": {false, slices.Concat(head, group("b", target), group("a", target))},
		"target twice":     {false, slices.Concat(head, group("a", target, target))},
		"targets":          {true, slices.Concat(head, group("a", target, append([]byte{0, 0, 6, 1}, cell...)))},
		"cell twice":       {false, slices.Concat(head, group("a", slices.Concat([]byte{0, 0, 4, 2}, cell, cell)))},
		"cells":            {true, slices.Concat(head, group("a", slices.Concat([]byte{0, 0, 4, 2}, cell, []byte{byte(HeldAccounts), 0, 0, 0, 2})))},
		"nothing in it":    {false, slices.Concat(head, group("a"))},
		"a sum of nothing": {false, slices.Concat(head, group("a", []byte{0, 0, 4, 1, byte(Accounts), 0, 0, 0, 0}))},
		"unknown kind":     {false, slices.Concat(head, group("a", []byte{0, 0, 4, 1, byte(afterKinds), 0, 0, 0, 2}))},
		"a number of none": {false, slices.Concat(head, group("a", []byte{0, 0, 4, 1, byte(Accounts), 0, 2, 0, 2}))},
		"a name of none":   {false, slices.Concat([]byte{batchLayout, 1, 1, 1, 'n'}, group("a", []byte{0, 0, 4, 1, byte(Accounts), 1, 0, 0, 2}))},
		"unused name":      {false, slices.Concat([]byte{batchLayout, 1, 1, 1, 'n'}, group("a", target))},
		"unknown cause":    {false, slices.Concat(head, group("a", []byte{0, 0, 4, 1, byte(Accounts), 0, 0, byte(afterWhys), 2}))},
		"zone of a slot":   {false, slices.Concat(head, group("a", append([]byte{1, 'z', 0, 4, 1}, cell...)))},
		"no zone":          {false, slices.Concat(head, group("a", append([]byte{0, 1, 4, 1}, cell...)))},
	} {
		deltas, err := DecodeBatch(nil, test.b)
		assert.Equal(t, test.good, err == nil, name)
		assert.Equal(t, test.good, len(deltas) > 0, name)
	}
}

// canonical says that the bytes are no batch, or the only encoding of one.
func canonical(t *testing.T, b []byte) {
	deltas, err := DecodeBatch(nil, b)
	if err != nil {
		require.ErrorIs(t, err, errBatch)
		require.Empty(t, deltas)
		return
	}
	if len(deltas) > 0 {
		require.Equal(t, b, AppendBatch(nil, deltas))
	}
}

func FuzzBatch(f *testing.F) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 20 {
		f.Add(AppendBatch(nil, randomBatch(random)))
	}
	f.Fuzz(canonical)
}

// randomBatch returns up to 30 deltas of one grouping, in order.
func randomBatch(random *rand.Rand) []Delta {
	width, deltas := random.IntN(3), []Delta(nil)
	for range random.IntN(30) {
		d := Delta{Values: []string{}, At: SlotOf(random.Int64N(2e12)), Why: Why(random.IntN(int(afterWhys))), N: 1 + random.Int64N(1e6)}
		for range width {
			d.Values = append(d.Values, []string{"", "a", "ab", "b"}[random.IntN(4)])
		}
		if random.IntN(3) == 0 {
			d.At = Target{random.Int64N(2e12), unitsCoded[1+random.IntN(4)], []string{"UTC", "Asia/Kathmandu"}[random.IntN(2)]}
		}
		d.Cell.Kind = Kinds()[random.IntN(len(Kinds()))]
		if d.Cell.Kind.Named() != NoName {
			d.Cell.Name = []string{"x", "y", "yz"}[random.IntN(3)]
		}
		if d.Cell.Kind.Numbered() != NoNumber {
			d.Cell.Number = random.Int32N(100) - 50
		}
		deltas = append(deltas, d)
	}
	slices.SortFunc(deltas, func(a, b Delta) int { return a.compare(&b) })
	return slices.CompactFunc(deltas, func(a, b Delta) bool { return a.compare(&b) == 0 })
}
