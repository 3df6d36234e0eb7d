package config

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// TLS says how connections are encrypted.
type TLS struct {
	// Encrypt the connections and check the server's certificate.
	Enabled bool `mapstructure:"enabled"`
	// A PEM file with the authorities that may have signed the server's certificate; empty: the system's.
	CAFile string `mapstructure:"ca_file"`
	// A PEM file with the certificate that the process shows to the server, if any.
	CertFile string `mapstructure:"cert_file"`
	// The PEM file with that certificate's private key.
	KeyFile string `mapstructure:"key_file"`
}

func (t *TLS) validate(p *Problems, at string) {
	if !t.Enabled && (t.CAFile != "" || t.CertFile != "" || t.KeyFile != "") {
		p.add(at+".enabled", "it is off but files are given")
	}
	if (t.CertFile == "") != (t.KeyFile == "") {
		p.add(at+".cert_file", "a certificate and its key_file belong together, one is missing")
	}
}

// Load reads the files and returns what a client needs, nil when encryption is off.
func (t *TLS) Load() (*tls.Config, error) {
	if !t.Enabled {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("reading the certificate authorities: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New("reading the certificate authorities: " + t.CAFile + " holds no certificate in PEM")
		}
	}
	if t.CertFile != "" {
		cert, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("reading the client certificate: %w", err)
		}
		c.Certificates = []tls.Certificate{cert}
	}
	return c, nil
}
