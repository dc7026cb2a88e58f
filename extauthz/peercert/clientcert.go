package peercert

import (
	"crypto/x509"
	"encoding/base64"

	"github.com/certbearer/certbearer/policies/decision"
)

// The headers of RFC 9440 (sections 2.2 and 2.3), in lower case.
const (
	ClientCertHeader      = "client-cert"
	ClientCertChainHeader = "client-cert-chain"
)

// MaxClientCertBytes bounds the value of Client-Cert that is handed to an
// upstream. A header that is larger, few servers take; and beside the largest
// evidence and headers that Envoy lets in, it would pass Envoy's own bound.
const MaxClientCertBytes = 16 << 10

// ClientCert returns the value of Client-Cert for the certificate: its DER as a
// structured field's byte sequence, in base64 with padding and between colons
// (RFC 9440 section 2.2, RFC 8941 section 4.1.8). The error is EvidenceTooLarge.
func ClientCert(leaf *x509.Certificate) (string, error) {
	if size := base64.StdEncoding.EncodedLen(len(leaf.Raw)) + len("::"); size > MaxClientCertBytes {
		return "", decision.Denyf(decision.EvidenceTooLarge, ClientCertHeader, "%d bytes for the upstream: at most %d are passed on", size, MaxClientCertBytes)
	}
	return ":" + base64.StdEncoding.EncodeToString(leaf.Raw) + ":", nil
}
