package rollup

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/DataDog/sketches-go/ddsketch"
	"github.com/DataDog/sketches-go/ddsketch/pb/sketchpb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
)

// readByLibrary is what an analyst's program makes of a row's bytes.
func readByLibrary(t testing.TB, b []byte) *ddsketch.DDSketch {
	t.Helper()
	var message sketchpb.DDSketch
	require.NoError(t, proto.Unmarshal(b, &message))
	s, err := ddsketch.FromProto(&message)
	require.NoError(t, err)
	return s
}

// manyDurations are of all lengths: some zero, some alike, from milliseconds to years.
func manyDurations(r *rand.Rand, n int) []int64 {
	all := make([]int64, n)
	for i := range all {
		switch r.IntN(10) {
		case 0:
			all[i] = int64(r.IntN(3))
		case 1:
			all[i] = 7 * dayMillis
		default:
			all[i] = int64(math.Exp(r.Float64() * math.Log(float64(longestDuration))))
		}
	}
	return all
}

func sketchOf(durations []int64) *sketch {
	s := &sketch{}
	for _, d := range durations {
		s.add(BinOf(d), 1)
		s.sum += d
	}
	return s
}

func requireWithin(t testing.TB, exactMillis int64, seconds float64) {
	t.Helper()
	exact := float64(exactMillis) / 1000
	require.LessOrEqual(t, math.Abs(seconds-exact), exact*RelativeError*(1+1e-9), "%v for %v", seconds, exact)
}

func TestQuantilesAreWithinTheirError(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		all := manyDurations(r, 1+r.IntN(400))
		var row Row
		s := sketchOf(all)
		s.describe(&row)
		slices.Sort(all)
		n, sum := len(all), int64(0)
		for _, d := range all {
			sum += d
		}
		require.EqualValues(t, n, row.Count.Value)
		require.InEpsilon(t, 1+float64(sum)/1000/float64(n), 1+row.Mean.Value, 1e-12)
		requireWithin(t, all[0], row.Min.Value)
		requireWithin(t, all[n-1], row.Max.Value)
		for share, q := range map[float64]Null[float64]{0.5: row.P50, 0.75: row.P75, 0.9: row.P90, 0.99: row.P99} {
			require.True(t, q.Known)
			requireWithin(t, all[int(share*float64(n-1))], q.Value)
		}
	}
}

func TestTheLibraryReadsSketches(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 300 {
		all, more := manyDurations(r, 1+r.IntN(400)), manyDurations(r, r.IntN(3))
		s := sketchOf(all)
		own, err := ddsketch.NewDefaultDDSketch(RelativeError)
		require.NoError(t, err)
		for _, d := range all {
			require.NoError(t, own.Add(float64(d)/1000))
		}
		read := readByLibrary(t, s.appendProto(nil))
		requireSameSketch(t, own, read)
		require.NoError(t, read.MergeWith(readByLibrary(t, sketchOf(more).appendProto(nil))))
		for _, d := range more {
			require.NoError(t, own.Add(float64(d)/1000))
		}
		requireSameSketch(t, own, read)
	}
}

func requireSameSketch(t *testing.T, want, got *ddsketch.DDSketch) {
	t.Helper()
	require.True(t, want.Equals(got.IndexMapping))
	require.Equal(t, want.GetCount(), got.GetCount())
	require.Equal(t, want.GetZeroCount(), got.GetZeroCount())
	for _, share := range []float64{0, 0.1, 0.5, 0.75, 0.9, 0.99, 1} {
		w, err := want.GetValueAtQuantile(share)
		require.NoError(t, err)
		g, err := got.GetValueAtQuantile(share)
		require.NoError(t, err)
		require.Equal(t, w, g)
	}
}

func TestQuantilesAreTheLibrarys(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for range 200 {
		s := sketchOf(manyDurations(r, 1+r.IntN(50)))
		library := readByLibrary(t, s.appendProto(nil))
		shares := []float64{0, 0.5, 0.75, 0.9, 0.99, 1}
		got := make([]float64, len(shares))
		s.quantiles(shares, got)
		want, err := library.GetValuesAtQuantiles(shares)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

func TestDurationsCanBeTakenBack(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	all := manyDurations(r, 200)
	s := sketchOf(all[:100])
	for _, d := range all[100:] { // taken back before it comes
		s.add(BinOf(d), -1)
	}
	assert.NotPanics(t, func() { s.describe(&Row{}) })
	for _, d := range all[100:] {
		s.add(BinOf(d), 1)
	}
	assert.Equal(t, sketchOf(all[:100]).bins, s.bins)
	for _, d := range all[:100] {
		s.add(BinOf(d), -1)
	}
	assert.Empty(t, s.bins)
	var row Row
	s.describe(&row)
	assert.Equal(t, Row{Count: some[int64](0)}, row)
}

func TestBinsHaveAnEnd(t *testing.T) {
	assert.Equal(t, BinOf(longestDuration), BinOf(1<<63-1))
	assert.EqualValues(t, NoTime, BinOf(0))
	assert.EqualValues(t, NoTime, BinOf(-1))
	s := &sketch{}
	s.add(1<<31-1, 1)
	s.add(NoTime+1, 1)
	assert.Equal(t, []bin{{firstBin, 1}, {lastBin, 1}}, s.bins)
	assert.Less(t, lastBin-firstBin, int32(1500))
}

func TestSketchesAreShort(t *testing.T) {
	few := sketchOf([]int64{1, 1000, 1_000_000, dayMillis})
	assert.Less(t, len(few.appendProto(nil)), 90)
	many := &sketch{}
	for b := firstBin; b <= lastBin; b++ {
		many.add(b, 1)
	}
	assert.Less(t, len(many.appendProto(nil)), 8*1500)
}
