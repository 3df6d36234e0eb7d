package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// pair makes a certificate with a serial number, and its key, in PEM.
func pair(t *testing.T, serial int64) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	require.NoError(t, err)
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded})
}

// A connection shows the certificate that is in the files then; while the two don't fit it shows the one before.
func TestACertificateIsReadAgain(t *testing.T) {
	dir := t.TempDir()
	files := &TLS{Enabled: true, CAFile: filepath.Join(dir, "ca.pem"), CertFile: filepath.Join(dir, "tls.crt"), KeyFile: filepath.Join(dir, "tls.key")}
	written := time.Now().Add(-time.Hour)
	write := func(path string, text []byte) {
		require.NoError(t, os.WriteFile(path, text, 0o600))
		written = written.Add(time.Second)
		require.NoError(t, os.Chtimes(path, written, written))
	}
	serverCert, serverKey := pair(t, 100)
	write(files.CAFile, serverCert)
	cert, key := pair(t, 1)
	write(files.CertFile, cert)
	_, err := files.Load()
	require.ErrorIs(t, err, os.ErrNotExist, "a key that is missing is said at the start")
	write(files.KeyFile, key)
	client, err := files.Load()
	require.NoError(t, err)

	identity, err := tls.X509KeyPair(serverCert, serverKey)
	require.NoError(t, err)
	server, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{identity}, ClientAuth: tls.RequireAnyClientCert})
	require.NoError(t, err)
	defer server.Close()
	shown := func() int64 {
		serial := make(chan int64, 1)
		go func() {
			defer close(serial)
			conn, err := server.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			if c := conn.(*tls.Conn); c.Handshake() == nil {
				serial <- c.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
			}
		}()
		conn, err := tls.Dial("tcp", server.Addr().String(), client.Clone())
		require.NoError(t, err)
		defer conn.Close()
		return <-serial
	}
	assert.EqualValues(t, 1, shown())
	cert, key = pair(t, 2)
	write(files.CertFile, cert)
	assert.EqualValues(t, 1, shown(), "its key is not there yet")
	write(files.KeyFile, key)
	assert.EqualValues(t, 2, shown())
	require.NoError(t, os.Remove(files.KeyFile))
	assert.EqualValues(t, 2, shown())
}
