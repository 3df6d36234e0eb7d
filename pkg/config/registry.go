package config

import (
	"net/url"
)

// Registry says where Avro schemas are: in a schema registry or in a folder.
type Registry struct {
	// The address of a schema registry (Confluent's API), such as http://registry:8081.
	URL string `mapstructure:"url"`
	// The user's name, if the registry asks for one.
	Username string `mapstructure:"username"`
	// The user's password.
	Password Secret `mapstructure:"password"`
	// A file that holds the password, in place of the password.
	PasswordFile string `mapstructure:"password_file"`
	// A PEM file with the authorities that may have signed the registry's certificate; empty: the system's.
	CAFile string `mapstructure:"ca_file"`
	// A folder in place of a registry: each schema in a file named after its id, such as 7.avsc.
	Directory string `mapstructure:"directory"`
}

func (c *Config) validateRegistry(p *Problems) {
	r := &c.Registry
	switch {
	case r.URL != "" && r.Directory != "":
		p.add("registry.directory", "not together with url")
	case r.URL == "" && r.Directory == "" && c.usesAvro():
		p.add("registry.url", "Avro needs a registry's url or a directory of schemas; "+
			"without Avro, set output.format and each source's format to json, and metrics.format where it is avro")
	}
	if r.URL == "" {
		return
	}
	u, err := url.Parse(r.URL)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		p.add("registry.url", "%s is not an http or https address", shown(r.URL))
	} else if u.User != nil {
		p.add("registry.url", "it holds a user name; use username and password")
	}
}

func (c *Config) usesAvro() bool {
	for _, s := range c.Input.Sources {
		if s.Encoding() == Avro {
			return true
		}
	}
	return c.Output.Format == Avro || c.Metrics.Enabled && c.MetricsFormat() == Avro
}
