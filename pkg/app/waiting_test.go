package app

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/telemetry"
)

func TestWaitingIsToldAtOnceAndThenOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		a := &App{ready: &telemetry.Readiness{}, log: slog.New(slog.NewTextHandler(&log, nil))}
		begun, tries := time.Now(), 0
		var told []int // after so many lines, at each try
		require.NoError(t, a.await(t.Context(), "kafka", always, func(context.Context) error {
			told = append(told, strings.Count(log.String(), "msg=waiting for=kafka"))
			if tries++; time.Since(begun) >= 150*time.Second {
				return nil
			}
			return errors.New("nobody answers")
		}))
		assert.Equal(t, []int{0, 1, 1}, told[:3], "at the beginning")
		assert.Equal(t, 3, told[len(told)-1], "and after one minute and two")
		assert.InDelta(t, 150/5, tries, 6, "the waits grow to five seconds")
		assert.Empty(t, a.ready.Waiting())
	})
}
