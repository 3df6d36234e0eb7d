package spelling

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestSlipsAreGuessed(t *testing.T) {
	known := []string{"brokers", "client_id", "tls", "prefix"}
	for name, want := range map[string]string{"brokerz": "brokers", "borkers": "brokers", "Prefix": "prefix", "clientid": "client_id", "tsl": "tls", "nonsense": "", "x": ""} {
		assert.Equal(t, want, Nearest(name, slices.Values(known)), name)
	}
	assert.Equal(t, "; did you mean tls?", Meant("tsl", slices.Values(known)))
	assert.Empty(t, Meant("nonsense", slices.Values(known)))
	assert.Empty(t, Nearest("tls", slices.Values([]string(nil))))
}
