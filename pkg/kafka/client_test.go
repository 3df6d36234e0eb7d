package kafka

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/config"
)

func TestSASL(t *testing.T) {
	cluster := newCluster(t, 1, kfake.EnableSASL(),
		kfake.Superuser("PLAIN", "me", "open"), kfake.Superuser("SCRAM-SHA-256", "me", "open"), kfake.Superuser("SCRAM-SHA-512", "me", "open"))
	for _, m := range []config.Mechanism{config.Plain, config.ScramSHA256, config.ScramSHA512} {
		cluster.config.SASL = config.SASL{Mechanism: m, Username: "me", Password: "open"}
		require.NoError(t, Reach(t.Context(), cluster.client(t), cluster.config), m)
		cluster.config.SASL.Password = "wrong"
		require.Error(t, Reach(t.Context(), cluster.client(t, kgo.RequestRetries(0)), cluster.config), m)
	}
}

func TestTLS(t *testing.T) {
	certificate, caFile := selfSigned(t)
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.TLS(&tls.Config{Certificates: []tls.Certificate{certificate}}))
	require.NoError(t, err)
	defer cluster.Close()
	c := config.Default().Kafka
	c.Brokers = cluster.ListenAddrs()
	log := slog.New(slog.DiscardHandler)

	c.TLS = config.TLS{Enabled: true, CAFile: caFile}
	trusting, err := NewClient(c, log)
	require.NoError(t, err)
	defer trusting.Close()
	require.NoError(t, Reach(t.Context(), trusting, c))

	c.TLS.CAFile = ""
	strict, err := NewClient(c, log, kgo.RequestRetries(0))
	require.NoError(t, err)
	defer strict.Close()
	require.ErrorContains(t, Reach(t.Context(), strict, c), "certificate")

	c.TLS.CAFile = "no-such-file"
	_, err = NewClient(c, log)
	require.ErrorContains(t, err, "no-such-file")
}

// selfSigned returns a certificate for localhost and a file with it.
func selfSigned(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}

func TestAnUnreachableClusterIsNamed(t *testing.T) {
	c := config.Default().Kafka
	c.Brokers = []string{"127.0.0.1:1"}
	refused := kgo.Dialer(func(_ context.Context, network, host string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: network, Err: os.NewSyscallError("connect to "+host, os.ErrDeadlineExceeded)}
	})
	var logged bytes.Buffer
	client, err := NewClient(c, slog.New(slog.NewTextHandler(&logged, nil)), refused, kgo.RequestRetries(0))
	require.NoError(t, err)
	err = Reach(t.Context(), client, c)
	require.ErrorContains(t, err, "reaching Kafka at 127.0.0.1:1")
	client.Close()
	assert.Contains(t, logged.String(), "component=kafka-client", "the client's warnings reach the log")
}

func TestGroupOptions(t *testing.T) {
	for _, test := range []struct {
		protocol config.Protocol
		has      bool
		consumer bool
		err      string
	}{
		{config.ProtocolAuto, true, true, ""},
		{config.ProtocolAuto, false, false, ""},
		{config.ProtocolClassic, true, false, ""},
		{config.ProtocolConsumer, true, true, ""},
		{config.ProtocolConsumer, false, false, "kafka.group_protocol: not every broker has the consumer protocol"},
	} {
		c := config.Kafka{GroupProtocol: test.protocol, InstanceID: "a", SessionTimeout: 20 * time.Second}
		opts, err := GroupOptions(c, Features{ConsumerProtocol: test.has})
		if test.err != "" {
			require.ErrorContains(t, err, test.err)
			continue
		}
		require.NoError(t, err)
		client, err := kgo.NewClient(append(opts, kgo.ConsumerGroup("g"), kgo.ConsumeTopics("t"))...)
		require.NoError(t, err)
		assert.Equal(t, test.consumer, client.OptValue(kgo.ServerSideBalancer), "%+v", test)
		assert.Equal(t, "a", client.OptValue(kgo.InstanceID))
		if !test.consumer {
			assert.Equal(t, 20*time.Second, client.OptValue(kgo.SessionTimeout))
		}
		client.Close()
	}
}
