package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/doctor"
	"github.com/pqlstream/pqlstream/pkg/embedded"
)

// findingsOf are the findings of a check.
func findingsOf(r *doctor.Report, check string) (list []doctor.Finding) {
	for _, f := range r.Findings {
		if f.Check == check {
			list = append(list, f)
		}
	}
	return list
}

func TestDoctor(t *testing.T) {
	servers, err := embedded.Start(embedded.Options{})
	require.NoError(t, err)
	defer servers.Close()
	_, err = simulateOn(t, servers, "--create-topic", "--partitions", "2", "--accounts", "5", "--days", "10")
	require.NoError(t, err)
	flags := flagsFor(t, servers.Brokers(), servers.RedisAddr())
	diagnose := func(more ...string) (int, *doctor.Report, string) {
		r := pqlstream(t, append(append([]string{"doctor", "-o", "json"}, flags...), more...)...)
		report := &doctor.Report{}
		require.NoError(t, json.Unmarshal([]byte(r.stdout), report), r.stdout+r.stderr)
		return r.code, report, r.stderr
	}

	code, report, stderr := diagnose()
	assert.Equal(t, exitFailed, code, "there are no topics yet")
	assert.Len(t, findingsOf(report, "kafka.topics"), 6)
	assert.Equal(t, "run `pqlstream topics create`, or set kafka.create_topics", findingsOf(report, "kafka.topics")[0].Remedy)
	assert.Equal(t, "pqlstream: to be mended: 6; warnings: 0\n", stderr)

	require.Equal(t, exitDone, pqlstream(t, append([]string{"topics", "create"}, flags...)...).code)
	code, report, stderr = diagnose("--strict")
	assert.Equal(t, exitDone, code, "%s %+v", stderr, report)
	for _, check := range []string{
		"settings", "checklist", "kafka.brokers", "kafka.topics", "kafka.partitions", "kafka.access", "kafka.lag", "clock.kafka",
		"redis.fit", "redis.persistence", "redis.memory", "clock.redis", "registry",
	} {
		require.Len(t, findingsOf(report, check), 1, check)
		assert.Equal(t, doctor.OK, findingsOf(report, check)[0].Status, check)
	}

	r := pqlstream(t, append([]string{"doctor", "--timeout", "2s", "--set", "redis.addresses=127.0.0.1:1"}, flags...)...)
	assert.Equal(t, exitDone, r.code, "the last of the same flags counts: %s", r.stderr)
	r = pqlstream(t, append(append([]string{"doctor", "--timeout", "2s"}, flags...), "--set", "redis.addresses=127.0.0.1:1")...)
	assert.Equal(t, exitFailed, r.code)
	assert.Regexp(t, `(?m)^fail     redis\.fit +.*127\.0\.0\.1:1.*\n +to do: check redis\.addresses`, r.stdout)
	assert.Regexp(t, `(?m)^ok       kafka\.brokers `, r.stdout)

	r = pqlstream(t, "doctor", "--config", example, "--set", "log.level=loud")
	assert.Equal(t, exitRefused, r.code)
	assert.True(t, strings.HasPrefix(r.stderr, "pqlstream: the settings in "), r.stderr)
}
