package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
)

// What is mistyped is named, with what may have been meant or what belongs there.
func TestMistypedCommandLines(t *testing.T) {
	for _, test := range []struct {
		line []string
		says string
	}{
		{[]string{"verson"}, "pqlstream: unknown command \"verson\" for \"pqlstream\"\n\nDid you mean this?\n\tversion\n\n"},
		{[]string{"config", "chekc"}, "pqlstream: unknown command \"chekc\" for \"pqlstream config\"; did you mean check?\n"},
		{[]string{"pqls", "lst", "-c", "pqlstream.yaml"}, "pqlstream: unknown command \"lst\" for \"pqlstream pqls\"; did you mean list?\n"},
		{[]string{"topics", "nonsense"}, "pqlstream: unknown command \"nonsense\" for \"pqlstream topics\"\n"},
		{[]string{"accounts", "show"}, "pqlstream: accepts 1 arg(s), received 0: pqlstream accounts show ACCOUNT [flags]\n"},
		{[]string{"run", "--brokers", "x"}, "pqlstream: unknown flag: --brokers\n"},
	} {
		var out, err bytes.Buffer
		assert.Equal(t, exitMisused, execute(t.Context(), test.line, &out, &err), test.line)
		assert.Equal(t, test.says, err.String(), test.line)
		assert.Empty(t, out.String(), test.line)
	}
}

func TestVersionIsAFlagAsWell(t *testing.T) {
	var out, err bytes.Buffer
	assert.Equal(t, exitDone, execute(t.Context(), []string{"--version"}, &out, &err))
	assert.Contains(t, out.String(), "pqlstream version ")
}
