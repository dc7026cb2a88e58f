package integration_test

import (
	"crypto/tls"
	"net"
	"strings"
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
