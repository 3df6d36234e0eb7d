package config

import (
	"time"
)

// Kafka says where the cluster is and how the process meets it.
type Kafka struct {
	// Addresses (host:port) of some of the brokers; the others are found through them.
	Brokers []string `mapstructure:"brokers"`
	// The name that brokers know this process by, in their logs and quotas.
	ClientID string `mapstructure:"client_id"`
	// Encryption of the connections.
	TLS TLS `mapstructure:"tls"`
	// Who the process is.
	SASL SASL `mapstructure:"sasl"`
	// How processes share partitions: consumer (KIP-848, Kafka 4.0 and later), classic, or auto: consumer where the
	// brokers have it. All processes of a deployment need the same.
	GroupProtocol Protocol `mapstructure:"group_protocol"`
	// A name for this process that stays the same when it is restarted (static membership): its partitions wait
	// for it instead of moving. Two processes must not share one.
	InstanceID string `mapstructure:"instance_id"`
	// How long a process may be silent before its partitions move to others; with the classic protocol, within the
	// brokers' group.min.session.timeout.ms and group.max.session.timeout.ms. With the consumer protocol the brokers
	// decide: group.consumer.session.timeout.ms.
	SessionTimeout time.Duration `mapstructure:"session_timeout"`
	// Create missing topics at start instead of refusing to start.
	CreateTopics bool `mapstructure:"create_topics"`
	// Replicas of each topic that is created. 0 stands for 3 on a cluster of three brokers or more, otherwise 1.
	Replication int `mapstructure:"replication"`
	// How long a broker waits for new records before it answers with none.
	FetchMaxWait time.Duration `mapstructure:"fetch_max_wait"`
}

// Protocol is how the members of a consumer group share partitions.
type Protocol string

// The group protocols.
const (
	ProtocolAuto     Protocol = "auto"
	ProtocolClassic  Protocol = "classic"
	ProtocolConsumer Protocol = "consumer" // KIP-848
)

// SASL is how a process proves to Kafka who it is.
type SASL struct {
	// plain, scram-sha-256 or scram-sha-512; empty: the process need not say who it is.
	Mechanism Mechanism `mapstructure:"mechanism"`
	// The user's name.
	Username string `mapstructure:"username"`
	// The user's password.
	Password Secret `mapstructure:"password"`
	// A file that holds the password, in place of the password.
	PasswordFile string `mapstructure:"password_file"`
}

// Mechanism is a way of SASL.
type Mechanism string

// The mechanisms.
const (
	NoSASL      Mechanism = ""
	Plain       Mechanism = "plain"
	ScramSHA256 Mechanism = "scram-sha-256"
	ScramSHA512 Mechanism = "scram-sha-512"
)

func (k *Kafka) validate(p *Problems, at string) {
	if len(k.Brokers) == 0 {
		p.add(at+".brokers", "none given")
	}
	for i, b := range k.Brokers {
		p.address(index(at+".brokers", i), b, at+".sasl.password")
	}
	k.TLS.validate(p, at+".tls")
	k.SASL.validate(p, at+".sasl")
	oneOf(p, at+".group_protocol", k.GroupProtocol, ProtocolAuto, ProtocolClassic, ProtocolConsumer)
	between(p, at+".replication", k.Replication, 0, 100)
	between(p, at+".session_timeout", k.SessionTimeout, 100*time.Millisecond, 30*time.Minute)
	between(p, at+".fetch_max_wait", k.FetchMaxWait, time.Millisecond, 10*time.Second)
}

func (s *SASL) validate(p *Problems, at string) {
	if s.Mechanism == NoSASL {
		if s.Username != "" {
			p.add(at+".mechanism", "it is empty but a user name is given; choose from plain, scram-sha-256, scram-sha-512")
		}
		return
	}
	oneOf(p, at+".mechanism", s.Mechanism, Plain, ScramSHA256, ScramSHA512)
	if s.Username == "" {
		p.add(at+".username", "%s needs one", s.Mechanism)
	}
	if s.Password == "" && s.PasswordFile == "" {
		p.add(at+".password", "%s needs a password or a password_file", s.Mechanism)
	}
}
