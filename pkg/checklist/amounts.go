package checklist

import (
	"encoding/binary"
	"math"
	"slices"
	"sort"
)

// amount is what was added up in one bucket of time. Working sets hold them in ascending order: the bucket as a zigzag
// varint, the distance from the one before, the first's from the Unix epoch, and the sum as a little-endian double above 0.
type amount struct {
	bucket int32
	at     int32 // where the sum stands in the working set
	sum    float64
	tail   float64 // for eachSum: of this one and some that follow
}

// amountBound is the most bytes that an amount takes.
const amountBound = dayBound + 8

// appendAmounts appends a working set's amounts. It is not ok when they are malformed.
func appendAmounts(amounts []amount, w Work) (_ []amount, ok bool) {
	bucket, at := int64(0), 0
	for first := true; at < len(w); first = false {
		distance, size := int64(w[at]>>1)^-int64(w[at]&1), 1 // most take a byte
		if w[at] >= 0x80 {
			u, n := uvarint(w[at:])
			distance, size = int64(u>>1)^-int64(u&1), n
		}
		if at += size; size <= 0 || !first && distance <= 0 || len(w)-at < 8 {
			return amounts, false
		}
		bucket += distance
		sum := double(w[at:])
		if !(sum > 0 && sum <= math.MaxFloat64) || bucket < minBucket || bucket > maxBucket {
			return amounts, false
		}
		amounts = append(amounts, amount{bucket: int32(bucket), at: int32(at), sum: sum})
		at += 8
	}
	return amounts, true
}

func encodeAmounts(w Work, amounts []amount) Work {
	bucket := int32(0)
	for i := range amounts {
		w = appendDouble(binary.AppendVarint(w, int64(amounts[i].bucket)-int64(bucket)), amounts[i].sum)
		bucket = amounts[i].bucket
	}
	return w
}

// double reads a double in little-endian order.
func double(w Work) float64 { return math.Float64frombits(binary.LittleEndian.Uint64(w)) }

func appendDouble(w Work, f float64) Work {
	return binary.LittleEndian.AppendUint64(w, math.Float64bits(f))
}

// plus adds up, short of infinity.
func plus(a, b float64) float64 { return min(a+b, math.MaxFloat64) }

func searchAmount(amounts []amount, bucket int) int {
	return sort.Search(len(amounts), func(i int) bool { return int(amounts[i].bucket) >= bucket })
}

// addAmount adds to a bucket. It returns the bucket's place, and whether it is new.
func addAmount(amounts []amount, bucket int32, n float64) (_ []amount, place int, isNew bool) {
	place = searchAmount(amounts, int(bucket))
	if isNew = place == len(amounts) || amounts[place].bucket != bucket; isNew {
		return slices.Insert(amounts, place, amount{bucket: bucket, sum: n}), place, true
	}
	amounts[place].sum = plus(amounts[place].sum, n)
	return amounts, place, false
}

// forgetAmounts drops the buckets that forgetDays would.
func (w *window) forgetAmounts(amounts []amount) []amount {
	return slices.Delete(amounts, 0, searchAmount(amounts, int(amounts[len(amounts)-1].bucket)-(w.width-1)-w.memory))
}

// eachSum visits the windows that begin with an amount, of which each is as good as any that begins before it. Nothing is
// subtracted: what is left of a large amount's rounding would hide a small one.
func (w *window) eachSum(amounts []amount, visit func(first int32, sum float64)) {
	last, tailed, rest := 0, 0, 0.0 // rest is the sum from tailed on
	for first := range amounts {
		for last < len(amounts) && int(amounts[last].bucket) < int(amounts[first].bucket)+w.width {
			rest += amounts[last].sum
			last++
		}
		if first == tailed {
			tail := 0.0
			for i := last - 1; i >= first; i-- {
				tail += amounts[i].sum
				amounts[i].tail = tail
			}
			tailed, rest = last, 0
		}
		visit(amounts[first].bucket, min(amounts[first].tail+rest, math.MaxFloat64))
	}
}

// mostWith returns the largest sum in a window that holds a bucket.
func (w *window) mostWith(amounts []amount, bucket int32) (most float64) {
	from, beyond := searchAmount(amounts, int(bucket)-w.width+1), searchAmount(amounts, int(bucket)+w.width)
	w.eachSum(amounts[from:beyond], func(first int32, sum float64) {
		if first <= bucket {
			most = max(most, sum)
		}
	})
	return most
}

// sumsHold says whether a window that reaches to or beyond the watermark has enough, and from which watermark on none does.
func (w *window) sumsHold(amounts []amount, watermark int64, enough func(sum float64) bool) (holds bool, end int64) {
	now, newest := int(w.bucket(watermark)), int32(0)
	from := searchAmount(amounts, now-w.width+1)
	w.eachSum(amounts[from:], func(first int32, sum float64) {
		if enough(sum) {
			holds, newest = true, first
		}
	})
	if !holds {
		return false, Never
	}
	return true, w.ends(newest)
}

// latestSum is the sum in the window that ends with the newest bucket.
func (w *window) latestSum(amounts []amount) (sum float64) {
	for i := len(amounts) - 1; i >= 0 && int(amounts[i].bucket) > int(amounts[len(amounts)-1].bucket)-w.width; i-- {
		sum = plus(sum, amounts[i].sum)
	}
	return sum
}
