package config

// HTTP says where metrics and health are served.
type HTTP struct {
	// The address (host:port) of /metrics, /healthz and /readyz; empty: none are served.
	Address string `mapstructure:"address"`
	// Serve profiles of the Go runtime at /debug/pprof/ as well. They show what the process is busy with to everybody who
	// reaches the address, and cost something while they are taken.
	Profiling bool `mapstructure:"profiling"`
}

func (h *HTTP) validate(p *Problems, at string) {
	if h.Address != "" {
		p.address(at+".address", h.Address, "")
	}
	if h.Profiling && h.Address == "" {
		p.add(at+".profiling", "it needs an address")
	}
}
