package report

import (
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
)

func TestNumbersInWords(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -1: "-1", -999: "-999", -1000: "-1,000", 12345678: "12,345,678"} {
		assert.Equal(t, want, number(long(n)))
	}
	for n, want := range map[int64]string{0: "0", 5: "+5", -1234: "-1,234"} {
		assert.Equal(t, want, signed(n))
	}
	for s, want := range map[float64]string{0: "0 s", 59.4: "59 s", 59.5: "1 min", 3569: "59 min", 3570: "60 min", 3600: "1 h 00 min", 7 * 3600.0: "7 h 00 min",
		86_399: "24 h 00 min", 86_400: "1 d 00 h", 90_000: "1 d 01 h", 86_400 * 400: "400 d 00 h"} {
		assert.Equal(t, want, duration(double(s)), "%v", s)
	}
	assert.Equal(t, "33.3 %", percent(double(1./3)))
}

func TestBars(t *testing.T) {
	assert.Equal(t, "", bar(0, 10, 8))
	assert.Equal(t, "", bar(1, 0, 8))
	assert.Equal(t, "", bar(-1, 10, 8))
	assert.Equal(t, "▏", bar(0.0001, 10, 8), "what is there is seen")
	assert.Equal(t, "████", bar(5, 10, 8))
	assert.Equal(t, "████▌", bar(5.6, 10, 8))
	assert.Equal(t, "████████", bar(10, 10, 8))
	assert.Equal(t, "████████", bar(11, 10, 8))
}

func TestSparklines(t *testing.T) {
	assert.Equal(t, "", spark(nil, 10))
	assert.Equal(t, "▁▁", spark([]float64{0, -3}, 10))
	assert.Equal(t, "▁▅█", spark([]float64{0, 5, 10}, 10))
	assert.Equal(t, "▁█", spark([]float64{0, 0, 0, 7, 7, 7}, 2))
	many := make([]float64, 1000)
	assert.Equal(t, 37, utf8.RuneCountInString(spark(many, 37)))
}
