package app

import (
	"log/slog"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/config"
)

// A port that somebody else has is named by its setting.
func TestAPortInUseNamesItsSetting(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, taken.Close()) }()
	for setting, set := range map[string]func(*config.Config, string){
		"http.address": func(c *config.Config, address string) { c.HTTP.Address = address },
		"api.address":  func(c *config.Config, address string) { c.API.Address = address },
	} {
		c := config.Default()
		c.HTTP.Address, c.API.Address = "", ""
		set(c, taken.Addr().String())
		require.ErrorContains(t, Run(t.Context(), c, slog.New(slog.DiscardHandler)),
			"address already in use: give this process another "+setting+", or an empty one for none")
	}
}
