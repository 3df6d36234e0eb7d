package rollup

import "math"

// normal95 is how many standard deviations to both sides hold 95 % of a normal distribution.
const normal95 = 1.959963984540054

// wilson returns the 95 % score interval of a proportion, hits out of n: E. B. Wilson, "Probable inference, the law of
// succession, and statistical inference", Journal of the American Statistical Association 22 (1927), without continuity correction. n is positive,
// hits from 0 to n.
func wilson(hits, n int64) (low, high float64) {
	const z = normal95
	p, size := float64(hits)/float64(n), float64(n)
	middle := p + z*z/(2*size)
	spread := z * math.Sqrt(p*(1-p)/size+z*z/(4*size*size))
	low, high = (middle-spread)/(1+z*z/size), (middle+spread)/(1+z*z/size)
	if hits == 0 { // exactly, whatever rounding says
		low = 0
	}
	if hits == n {
		high = 1
	}
	return low, high
}

// newcombe returns the 95 % interval of the difference of two independent proportions, the first less the second, from
// their score intervals: method 10 of R. G. Newcombe, "Interval estimation for the difference between independent proportions:
// comparison of eleven methods", Statistics in Medicine 17 (1998). Both n are positive, hits from 0 to n.
func newcombe(hits, n, otherHits, otherN int64) (low, high float64) {
	p, q := float64(hits)/float64(n), float64(otherHits)/float64(otherN)
	pLow, pHigh := wilson(hits, n)
	qLow, qHigh := wilson(otherHits, otherN)
	return p - q - math.Hypot(p-pLow, qHigh-q), p - q + math.Hypot(pHigh-p, q-qLow)
}
