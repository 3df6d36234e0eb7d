package config

import (
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"strings"
)

// Bytes is an amount of memory. In settings it is a number with a unit: kB, MB, GB (powers of 1,000), KiB, MiB, GiB (of
// 1,024) or B.
type Bytes int64

var byteUnits = []struct {
	name string
	size int64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30},
	{"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1},
}

func parseBytes(text string) (Bytes, error) {
	for _, unit := range byteUnits {
		digits, found := strings.CutSuffix(text, unit.name)
		if !found {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
		if err != nil || n < 0 || n > (1<<62)/unit.size {
			break
		}
		return Bytes(n * unit.size), nil
	}
	return 0, fmt.Errorf("%q is not an amount of memory such as 512MiB", text)
}

// String writes the amount in the largest unit that divides it.
func (b Bytes) String() string {
	for _, i := range []int{2, 5, 1, 4, 0, 3} {
		if unit := byteUnits[i]; b != 0 && int64(b)%unit.size == 0 {
			return strconv.FormatInt(int64(b)/unit.size, 10) + unit.name
		}
	}
	return strconv.FormatInt(int64(b), 10) + "B"
}

// Number is a number that may be left out: empty. It is kept as it was written.
type Number string

// Value returns the number, false where there is none.
func (n Number) Value() (float64, bool) {
	f, err := strconv.ParseFloat(string(n), 64)
	return f, err == nil
}

func parseNumber(text string) (Number, error) {
	if f, err := strconv.ParseFloat(text, 64); text != "" && (err != nil || math.IsNaN(f) || math.IsInf(f, 0)) {
		return "", fmt.Errorf("%q is not a number", text)
	}
	return Number(text), nil
}

// Secret is a password. Printing, logging or encoding it gives asterisks; Reveal gives what it is.
type Secret string

// Reveal returns the password.
func (s Secret) Reveal() string { return string(s) }

// String hides the password, so that it can't be printed by accident.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "***"
}

// GoString hides the password from %#v.
func (s Secret) GoString() string { return strconv.Quote(s.String()) }

// MarshalText hides the password from JSON and YAML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue hides the password from logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
