package config

import (
	"crypto/tls"
	"fmt"
	"os"
	"sync"
	"time"
)

// certificate is what a process shows to servers, as the newest files have it: certificates that live for days are replaced while a process
// runs.
type certificate struct {
	certFile, keyFile string

	mu      sync.Mutex
	loaded  *tls.Certificate
	changed [2]time.Time // when the files of what is loaded were written
}

// current returns the certificate, read again where a file has changed. What can't be read then, such as a key whose certificate is still
// being written, leaves the one before in use, and is tried again at the next connection.
func (c *certificate) current(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.refresh(); err != nil && c.loaded == nil {
		return nil, err
	}
	return c.loaded, nil
}

func (c *certificate) refresh() error {
	var changed [2]time.Time
	for i, file := range []string{c.certFile, c.keyFile} {
		info, err := os.Stat(file)
		if err != nil {
			return fmt.Errorf("reading the client certificate: %w", err)
		}
		changed[i] = info.ModTime()
	}
	if c.loaded != nil && changed == c.changed {
		return nil
	}
	loaded, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("reading the client certificate: %w", err)
	}
	c.loaded, c.changed = &loaded, changed
	return nil
}
