package config

import (
	"crypto/tls"
	"crypto/x509"
	"os"
)

// TLS says how connections are encrypted.
type TLS struct {
	// Encrypt the connections and check the server's certificate.
	Enabled bool `mapstructure:"enabled"`
	// A PEM file with the authorities that may have signed the server's certificate; empty: the system's.
	CAFile string `mapstructure:"ca_file"`
	// A PEM file with the certificate that the process shows to the server, if any. It and its key are read again when the files change.
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

// Load reads the files and returns what a client needs, nil when encryption is off. The client's certificate is read again when its files
// change.
func (t *TLS) Load() (*tls.Config, error) {
	if !t.Enabled {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, unreadable("reading the certificate authorities: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, unreadable("reading the certificate authorities: %s holds no certificate in PEM", t.CAFile)
		}
	}
	if t.CertFile != "" {
		shown := &certificate{certFile: t.CertFile, keyFile: t.KeyFile}
		if err := shown.refresh(); err != nil {
			return nil, &Unreadable{err}
		}
		c.GetClientCertificate = shown.current
	}
	return c, nil
}
