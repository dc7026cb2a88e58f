package integration_test

import (
	"crypto/tls"
	"net"
	"strings"
	"testing"
	"time"
)

// shake does a handshake with versions from and to, and with the given suites of
// TLS 1.2 only, if there are any. It says too whether a certificate was asked for.
func (s site) shake(from, to uint16, suites []uint16) (tls.ConnectionState, error) {
	config := &tls.Config{RootCAs: s.roots, ServerName: "localhost", MinVersion: from, MaxVersion: to, CipherSuites: suites}
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: patience}, "tcp", strings.TrimPrefix(s.base, "https://"), config)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer conn.Close()
	return conn.ConnectionState(), nil
}

// refusesVersion expects the alert that is for versions: without a suite that is
// old enough a handshake would fail too, and prove nothing.
func (s site) refusesVersion(t *testing.T, from, to uint16) {
	t.Helper()
	if _, err := s.shake(from, to, nil); err == nil || !strings.Contains(err.Error(), "protocol version") {
		t.Errorf("%s to %s: %v, want the alert protocol_version", tls.VersionName(from), tls.VersionName(to), err)
	}
}

// asksForACertificate reports whether the server wants one.
func (s site) asksForACertificate() (asked bool, err error) {
	config := &tls.Config{RootCAs: s.roots, ServerName: "localhost", MinVersion: tls.VersionTLS12,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			asked = true
			return new(tls.Certificate), nil
		}}
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: patience}, "tcp", strings.TrimPrefix(s.base, "https://"), config)
	if err != nil {
		return asked, err
	}
	defer conn.Close()
	// The handshake is over, whatever the server thinks of what it got.
	return asked, conn.SetDeadline(time.Now())
}
