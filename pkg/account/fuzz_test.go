package account_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// FuzzLoad loads any bytes. What is accepted is encoded as it was taken, and can be folded and passed on.
func FuzzLoad(f *testing.F) {
	e := engine(f, everything)
	for seed := range uint64(4) {
		through := newFolding(f, e)
		for i, ev := range randomLife(rand.New(rand.NewPCG(seed, 7)), 100) {
			through.pass(lifeStarts + int64(i-5)*hour)
			through.fold(&ev, lifeStarts+int64(i-5)*hour)
		}
		f.Add(through.encoded(), lifeStarts+100*hour)
		through.folder.Merge(through.state, "other", &account.Control{At: lifeStarts})
		f.Add(through.encoded(), lifeStarts)
		through.folder.Erase(through.state, lifeStarts, &account.Control{At: lifeStarts})
		f.Add(through.encoded(), lifeStarts)
	}
	f.Fuzz(func(t *testing.T, b []byte, watermark int64) {
		s, err := e.Load("acme", b)
		if err != nil {
			return
		}
		s = reload(t, e, s)
		folder := e.Folder()
		for i, ev := range randomLife(rand.New(rand.NewPCG(1, 1)), 30) {
			if i > 15 {
				ev.OccurredAt = watermark
			}
			passed(t, folder, s, watermark)
			folder.Apply(s, &ev, account.Position{Offset: int64(i)}, watermark)
			e.View(s, watermark)
		}
		s = reload(t, e, s)
		passed(t, folder, s, math.MaxInt64-1)
		reload(t, e, s)
	})
}

// passed lets time pass and holds that nothing due is left.
func passed(t *testing.T, f *account.Folder, s *account.State, watermark int64) {
	f.Pass(s, watermark)
	if due := s.NextTimer(); due != 0 && due <= watermark && !s.Expired(watermark) {
		t.Fatalf("a timer of %d is still set at %d", due, watermark)
	}
}

// FuzzFold folds events of any times and values for steps of every kind, with a watermark that may be anywhere too.
func FuzzFold(f *testing.F) {
	e := engine(f, everything)
	f.Add([]byte("e5 and e3, e7"), "ana", 2.5, lifeStarts, hour, lifeStarts-hour)
	f.Add([]byte("\x01\x01\x03\x04\x0b\x0c"), "", math.Inf(-1), int64(math.MaxInt64), int64(-1), int64(math.MinInt64))
	f.Add([]byte("\x0b\x06\x03\x01\x03"), "\xff", math.NaN(), int64(-1), int64(math.MaxInt64), int64(math.MaxInt64))
	f.Fuzz(func(t *testing.T, which []byte, text string, number float64, at, step, watermark int64) {
		folder, s := e.Folder(), e.New("acme", at)
		for i, b := range which[:min(len(which), 60)] {
			ev := usage.Event{Name: names[int(b)%len(names)], UserID: text, Quantity: number, OccurredAt: at}
			if b&16 != 0 {
				ev.ID, ev.UserID = text+string(rune(i)), text+string(rune('a'+b>>5))
			}
			values := []usage.Value{usage.DoubleValue(number), usage.LongValue(at), usage.StringValue(text), usage.BoolValue(b&1 == 0)}
			for j, p := range []string{"p", "limit", "size", "kind", "flag", "role"} {
				ev.Properties = append(ev.Properties, usage.Property{Key: p, Value: values[(j+int(b>>4))%len(values)]})
			}
			passed(t, folder, s, watermark)
			folder.Apply(s, &ev, account.Position{Topic: text, Partition: int32(at), Offset: at}, watermark)
			e.View(s, watermark)
			if b&3 == 0 {
				s = reload(t, e, s)
			}
			at += step
			watermark = max(watermark, watermark+step)
		}
		encoded, err := s.AppendBinary(nil)
		require.NoError(t, err)
		require.LessOrEqual(t, len(encoded), e.Checklist().StateBound())
		passed(t, folder, s, math.MaxInt64-1)
		reload(t, e, s)
	})
}
