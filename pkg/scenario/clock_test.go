package scenario

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func berlin(t *testing.T, start string) clock {
	t.Helper()
	at, err := readStart(start + " Europe/Berlin")
	require.NoError(t, err)
	return clock{at}
}

func (c clock) at(text string) (string, error) {
	tokens, err := scan(text, 0)
	if err != nil {
		return "", err
	}
	at, used, err := c.read(tokens)
	if err == nil && used != len(tokens) {
		return "too many tokens", nil
	}
	return at.UTC().Format("2006-01-02T15:04:05.999Z"), err
}

func TestMoments(t *testing.T) {
	spring := berlin(t, "2026-03-27 09:00")
	for text, want := range map[string]string{
		"+0d":                         "2026-03-27T08:00:00Z",
		"+0d 0:00":                    "2026-03-26T23:00:00Z",
		"+2d":                         "2026-03-29T07:00:00Z", // the clocks are put forward: the wall's time stays
		"+48h":                        "2026-03-29T08:00:00Z", // clock hours: the wall shows 10:00
		"+2d 01:59":                   "2026-03-29T00:59:00Z",
		"+2d 03:00":                   "2026-03-29T01:00:00Z",
		"+90m":                        "2026-03-27T09:30:00Z",
		"+1h30m5s":                    "2026-03-27T09:30:05Z",
		"+1d 10:00:01.5":              "2026-03-28T09:00:01.5Z",
		"2026-03-29 10:00":            "2026-03-29T08:00:00Z",
		"2026-10-25 02:30":            "2026-10-25T00:30:00Z", // the first of two
		"2026-10-25T02:30+01:00":      "2026-10-25T01:30:00Z",
		"2026-10-25T02:30:00.5+02:00": "2026-10-25T00:30:00.5Z",
	} {
		got, err := spring.at(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
	}
	for text, want := range map[string]string{
		"+2d 02:30":        "there is no 02:30 on 2026-03-29 in Europe/Berlin, where the clocks are put forward: write a time before or after",
		"2026-03-29 02:00": "there is no 02:00 on 2026-03-29",
		"+1d 24:00":        `"24:00" is no time of a day`,
		"2026-02-30 10:00": "2026-02-30 is no day of the calendar",
		"2026-03-29":       `"2026-03-29" is no moment`,
		"+":                `"+" is no moment`,
		"3d":               `"3d" is no moment`,
		"":                 "a moment is missing",
	} {
		_, err := spring.at(text)
		assert.ErrorContains(t, err, want, text)
	}
}

func TestMomentsAreReadAsTheyAreWritten(t *testing.T) {
	for _, c := range []clock{berlin(t, "2026-03-27 09:00"), berlin(t, "2026-10-20 23:30"), {defaultStart}} {
		for i := range int64(24 * 30 * 8) {
			at := c.start.UnixMilli() + (i-100)*7*60_000 + i%3*1_000 + i%5
			text := c.write(at)
			tokens, err := scan(text, 0)
			require.NoError(t, err)
			got, used, err := c.read(tokens)
			require.NoError(t, err, text)
			require.Equal(t, len(tokens), used, text)
			require.Equal(t, at, got.UnixMilli(), text)
		}
	}
	autumn := berlin(t, "2026-10-20 09:00")
	second := time.Date(2026, 10, 25, 1, 30, 0, 0, time.UTC).UnixMilli()
	assert.Equal(t, "2026-10-25T02:30:00+01:00", autumn.write(second))
	assert.Equal(t, "+5d 02:30", autumn.write(second-time.Hour.Milliseconds()))
}

func TestRepetitionsKeepToTheWallClockByDaysAndToTheClockByHours(t *testing.T) {
	times := func(line string) string {
		f := parsed(t, "checklist: x\nstart: 2026-03-28 09:00 Europe/Berlin\nscenario: s\n "+line+"\n")
		var out []string
		for _, ev := range f.Scenarios[0].statements[0].events {
			out = append(out, time.UnixMilli(ev.OccurredAt).UTC().Format("02T15:04"))
		}
		return strings.Join(out, " ")
	}
	assert.Equal(t, "28T08:00 29T07:00 30T07:00", times("+0d acme ana a daily x3"))
	assert.Equal(t, "28T08:00 29T08:00 30T08:00", times("+0d acme ana a every 24h x3"))
	assert.Equal(t, "28T08:00 30T07:00", times("+0d acme ana a every 2d x2"))
	assert.Equal(t, "28T08:00 28T09:00", times("+0d acme ana a hourly x2"))
	assert.Equal(t, "28T08:00 04T07:00", times("+0d acme ana a x2 weekly"))
	assert.Equal(t, "28T08:00 28T08:00", times("+0d acme ana a x2"))
	_, err := Parse("x", []byte("checklist: x\nstart: 2026-03-28 Europe/Berlin\nscenario: s\n +0d 02:30 acme ana a daily x3\n"), reading)
	assert.ErrorContains(t, err, "x:4: there is no 02:30 on 2026-03-29")
}

func TestStarts(t *testing.T) {
	for text, want := range map[string]string{
		"2026-03-02 09:00 Europe/Berlin": "2026-03-02T08:00:00Z", "2026-03-02": "2026-03-02T00:00:00Z",
		"2026-03-02 America/New_York": "2026-03-02T05:00:00Z", "2026-03-02 09:00": "2026-03-02T09:00:00Z",
	} {
		at, err := readStart(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, at.UTC().Format(time.RFC3339))
	}
	for _, text := range []string{"", "09:00", "2026-03-02 09:00 Local", "2026-03-02 09:00 Mars/Base", "2026-03-29 02:30 Europe/Berlin", "+3d", "1969-01-01"} {
		_, err := readStart(text)
		assert.Error(t, err, text)
	}
}
