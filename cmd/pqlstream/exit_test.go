package main

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// clause is what a meaning begins with, up to where it goes into detail.
var clause = regexp.MustCompile(`^[^,.;:|]+`)

// What the page on erasing says of exit codes begins as what they mean everywhere.
func TestTheExitCodesOfErasingAreOurs(t *testing.T) {
	page, err := os.ReadFile("../../docs/identity.md")
	require.NoError(t, err)
	_, text, found := strings.Cut(string(page), "\n## What the command does\n")
	require.True(t, found)
	text, _, _ = strings.Cut(text, "\n## ")
	rows := regexp.MustCompile(`(?m)^\| (\d) \| (.+) \|$`).FindAllStringSubmatch(text, -1)
	require.Len(t, rows, len(exitMeanings))
	for want, row := range rows {
		code, err := strconv.Atoi(row[1])
		require.NoError(t, err)
		assert.Equal(t, want, code)
		assert.True(t, strings.HasPrefix(row[2], clause.FindString(exitMeanings[code])), "%s: %s", row[0], exitMeanings[code])
	}
}
