package checklist

import (
	"encoding/binary"
	"math"
	"slices"
)

// Amounts are what was added up in buckets of time. Working sets hold them from the newest to the oldest: the newest
// bucket as a zigzag varint since the Unix epoch, the others as an unsigned varint of how far each is before the one in
// front of it, and after each its sum as a little-endian double above 0. So what comes as usual, to one of the newest
// buckets, is added where it stands, and what a window needs is read first.

// amountBound is the most bytes that an amount takes.
const amountBound = dayBound + 8

// double reads a double in little-endian order.
func double(w Work) float64 { return math.Float64frombits(binary.LittleEndian.Uint64(w)) }

func appendDouble(w Work, f float64) Work {
	return binary.LittleEndian.AppendUint64(w, math.Float64bits(f))
}

// plus adds up, short of infinity.
func plus(a, b float64) float64 { return min(a+b, math.MaxFloat64) }

// amountReader reads a set of amounts, from the newest on.
type amountReader struct {
	set    Work
	begin  int // of the amount in the set
	at     int // where its sum stands
	end    int
	bucket int64
	sum    float64
	broken bool // no set goes on like this after end
}

func (r *amountReader) next() bool {
	if r.end == len(r.set) || r.broken {
		return false
	}
	first := r.end == 0
	distance, size := uint64(r.set[r.end]), 1 // most take a byte
	if distance >= 0x80 {
		distance, size = uvarint(r.set[r.end:])
	}
	bucket := r.bucket - int64(min(distance, math.MaxUint32))
	if first {
		bucket = int64(distance>>1) ^ -int64(distance&1)
	}
	at := r.end + size
	if size == 0 || !first && distance == 0 || bucket < minBucket || bucket > maxBucket || len(r.set)-at < 8 {
		r.broken = true
		return false
	}
	sum := double(r.set[at:])
	if r.broken = !(sum > 0 && sum <= math.MaxFloat64); r.broken {
		return false
	}
	r.begin, r.at, r.end, r.bucket, r.sum = r.end, at, at+8, bucket, sum
	return true
}

// validAmounts says whether a set of amounts is one.
func validAmounts(set Work) bool {
	r := amountReader{set: set}
	for r.next() {
	}
	return !r.broken
}

// addAmount adds to a bucket. It says whether that is new to the set.
func addAmount(set Work, bucket int32, n float64) (_ Work, isNew bool) {
	r, before := amountReader{set: set}, int64(0)
	found := r.next()
	for found && r.bucket > int64(bucket) {
		before = r.bucket
		found = r.next()
	}
	switch {
	case found && r.bucket == int64(bucket):
		binary.LittleEndian.PutUint64(set[r.at:], math.Float64bits(plus(r.sum, n)))
		return set, false
	case !found: // it is the oldest
		r.begin = r.end
		set = set[:r.end]
	}
	var room [2*varintBound + 8]byte
	amount := Work(room[:0])
	if r.begin == 0 {
		amount = binary.AppendVarint(amount, int64(bucket))
	} else {
		amount = binary.AppendUvarint(amount, uint64(before-int64(bucket)))
	}
	amount = appendDouble(amount, n)
	if !found {
		return append(set, amount...), true
	}
	amount = binary.AppendUvarint(amount, uint64(int64(bucket)-r.bucket))
	return slices.Replace(set, r.begin, r.at, amount...), true
}

// add adds to a bucket and forgets those that forgetDays would. It says whether the amount is remembered, and whether a
// window that holds the bucket has enough; nil: who judges will find out.
func (w *window) add(set Work, bucket int32, n float64, enough func(sum float64) bool) (_ Work, remembered, holds bool) {
	set, isNew := addAmount(set, bucket, n)
	holds = enough != nil && w.holdsAround(set, int64(bucket), enough)
	if !isNew {
		return set, true, holds
	}
	set, oldest := w.forgetAmounts(set)
	return set, int64(bucket) >= oldest, holds
}

// forgetAmounts cuts off what forget would, and returns the oldest bucket that can stay.
func (w *window) forgetAmounts(set Work) (kept Work, oldest int64) {
	r := amountReader{set: set}
	r.next()
	oldest = r.bucket - int64(w.width-1) - int64(w.memory)
	for r.next() {
		if r.bucket < oldest {
			return set[:r.begin], oldest
		}
	}
	return set, oldest
}

// merge adds another set's amounts.
func (w *window) merge(set *Work, other Work) {
	for r := (amountReader{set: other}); r.next(); {
		*set, _ = addAmount(*set, int32(r.bucket), r.sum)
	}
	*set, _ = w.forgetAmounts(*set)
}

// holdsAround says whether a window that holds a bucket has enough.
func (w *window) holdsAround(set Work, bucket int64, enough func(sum float64) bool) bool {
	r, all, newest := amountReader{set: set}, 0.0, bucket
	for r.next() && r.bucket > bucket-int64(w.width) {
		if r.bucket < bucket+int64(w.width) {
			newest = max(newest, r.bucket)
			all = plus(all, r.sum)
		}
	}
	if newest == bucket || !enough(all) {
		return enough(all)
	}
	var room [dayRoom]amount
	some := false
	w.eachSum(amountsBetween(room[:0], set, bucket-int64(w.width), newest), func(first int64, sum float64) {
		some = some || first <= bucket && enough(sum)
	})
	return some
}

// sumsHold says whether a window that reaches to or beyond the watermark has enough, and from which watermark on none does.
func (w *window) sumsHold(set Work, watermark int64, enough func(sum float64) bool) (holds bool, end int64) {
	before := int64(w.bucket(watermark)) - int64(w.width)
	r, all, newest := amountReader{set: set}, 0.0, int64(math.MinInt64)
	for r.next() && r.bucket > before {
		newest = max(newest, r.bucket)
		if all = plus(all, r.sum); enough(all) && newest < r.bucket+int64(w.width) {
			return true, w.ends(int32(r.bucket))
		}
	}
	if !enough(all) {
		return false, Never
	}
	var room [dayRoom]amount
	last := int64(math.MinInt64)
	w.eachSum(amountsBetween(room[:0], set, before, newest), func(first int64, sum float64) {
		if enough(sum) {
			last = first
		}
	})
	if last == math.MinInt64 {
		return false, Never
	}
	return true, w.ends(int32(last))
}

// latestSum is the sum in the window that ends with the newest bucket, or with a moment's if that is later.
func (w *window) latestSum(set Work, by *Moment) (sum float64) {
	r := amountReader{set: set}
	for oldest := w.before(by); r.next(); sum = plus(sum, r.sum) {
		if oldest = max(oldest, r.bucket-int64(w.width)); r.bucket <= oldest {
			break
		}
	}
	return sum
}

// amount is one of a set's.
type amount struct {
	bucket int64
	sum    float64
	tail   float64 // for eachSum: of this one and some that follow
}

// amountsBetween appends a set's amounts after a bucket until another, the oldest first.
func amountsBetween(amounts []amount, set Work, after, until int64) []amount {
	for r := (amountReader{set: set}); r.next() && r.bucket > after; {
		if r.bucket <= until {
			amounts = append(amounts, amount{bucket: r.bucket, sum: r.sum})
		}
	}
	slices.Reverse(amounts)
	return amounts
}

// eachSum visits the windows that begin with an amount, of which each is as good as any that begins before it. Nothing is
// subtracted: what is left of a large amount's rounding would hide a small one.
func (w *window) eachSum(amounts []amount, visit func(first int64, sum float64)) {
	last, tailed, rest := 0, 0, 0.0 // rest is the sum from tailed on
	for first := range amounts {
		for last < len(amounts) && amounts[last].bucket < amounts[first].bucket+int64(w.width) {
			rest = plus(rest, amounts[last].sum)
			last++
		}
		if first == tailed {
			tail := 0.0
			for i := last - 1; i >= first; i-- {
				tail = plus(tail, amounts[i].sum)
				amounts[i].tail = tail
			}
			tailed, rest = last, 0
		}
		visit(amounts[first].bucket, plus(amounts[first].tail, rest))
	}
}
