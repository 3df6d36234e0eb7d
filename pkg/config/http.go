package config

// HTTP says where metrics and health are served.
type HTTP struct {
	// The address (host:port) of /metrics, /healthz and /readyz; empty: none are served.
	Address string `mapstructure:"address"`
}

func (h *HTTP) validate(p *Problems, at string) {
	if h.Address != "" {
		p.address(at+".address", h.Address)
	}
}
