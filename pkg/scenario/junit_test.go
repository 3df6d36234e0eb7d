package scenario

import (
	"bytes"
	"encoding/xml"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestJUnit(t *testing.T) {
	f := parsed(t, "checklist: x\nshow: step_done\nscenario: right & true\n +0d acme ana a\n  => step_done a\nscenario: wrong\n +0d acme ana a\n")
	var b bytes.Buffer
	require.NoError(t, WriteJUnit(&b, []Report{
		{File: "x.scenario", Results: ran(f), Took: []time.Duration{1500 * time.Millisecond, 20 * time.Millisecond}},
		{File: "bad.scenario", Err: errors.New("bad.scenario:1: there is no checklist")},
	}))
	assert.Equal(t, `<?xml version="1.0" encoding="UTF-8"?>
<testsuites>
  <testsuite name="x.scenario" tests="2" failures="1" errors="0" time="1.520">
    <testcase name="right &amp; true" classname="x.scenario" file="x.scenario" line="3" time="1.500"></testcase>
    <testcase name="wrong" classname="x.scenario" file="x.scenario" line="6" time="0.020">
      <failure message="something else came than the scenario says">   6   scenario: wrong&#xA;   7    +0d acme ana a&#xA;     +    =&gt; step_done a rate 25%&#xA;</failure>
    </testcase>
  </testsuite>
  <testsuite name="bad.scenario" tests="1" failures="0" errors="1" time="0.000">
    <testcase name="bad.scenario" classname="bad.scenario" file="bad.scenario" time="0.000">
      <error message="the file is not valid">bad.scenario:1: there is no checklist</error>
    </testcase>
  </testsuite>
</testsuites>
`, b.String())
	require.NoError(t, xml.Unmarshal(b.Bytes(), new(junitSuites)))
}
