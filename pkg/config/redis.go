package config

// Redis says where states are mirrored for everybody to read.
type Redis struct {
	// Addresses (host:port): one server, or some of a cluster's.
	Addresses []string `mapstructure:"addresses"`
	// The addresses belong to a Redis Cluster.
	Cluster bool `mapstructure:"cluster"`
	// The user's name; empty: the default user.
	Username string `mapstructure:"username"`
	// The user's password.
	Password Secret `mapstructure:"password"`
	// A file that holds the password, in place of the password.
	PasswordFile string `mapstructure:"password_file"`
	// The number of the database. A cluster has only 0.
	Database int `mapstructure:"database"`
	// Encryption of the connections.
	TLS TLS `mapstructure:"tls"`
	// Into how many hashes the states of a partition are split. Changing it rebuilds the mirror.
	Buckets int `mapstructure:"buckets"`
}

func (r *Redis) validate(p *Problems, at string, needed bool) {
	if needed && len(r.Addresses) == 0 {
		p.add(at+".addresses", "none given")
	}
	if len(r.Addresses) > 1 && !r.Cluster {
		p.add(at+".addresses", "%d given, but cluster is off", len(r.Addresses))
	}
	for i, a := range r.Addresses {
		p.address(index(at+".addresses", i), a, at+".password")
	}
	if r.Cluster && r.Database != 0 {
		p.add(at+".database", "a cluster has only database 0")
	}
	between(p, at+".database", r.Database, 0, 1<<16)
	r.TLS.validate(p, at+".tls")
	between(p, at+".buckets", r.Buckets, 1, 1<<16)
}
