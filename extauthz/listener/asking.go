package listener

import "crypto/tls"

// TLS ends TLS for clients and asks each for a certificate, which the client has
// to prove and which nobody judges here (RFC 8705 section 2). The files are PEM and
// are read again when they change; files that cannot be used leave the last good
// ones in place.
type TLS struct {
	Certificate string // file: our certificate and its intermediates
	Key         string // file: its private key
}

func newAskingIdentity(t TLS, reloaded func(error)) (*identity, error) {
	return newIdentity([]part{{"certificate", t.Certificate}, {"key", t.Key}}, t.config, reloaded)
}

// config asks with an empty list of CAs, because clients that obey the list would
// send nothing. Sessions are not resumed, so that each connection has proven its
// certificate itself. The suites of TLS 1.2 are those of RFC 9325 section 4.2.
func (t TLS) config() (*tls.Config, error) {
	pair, err := readPair(t.Certificate, t.Key)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
		},
		Certificates:           []tls.Certificate{pair},
		ClientAuth:             tls.RequestClientCert,
		NextProtos:             []string{"http/1.1"},
		SessionTicketsDisabled: true,
	}, nil
}
