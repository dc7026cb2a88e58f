package testca

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
)

// PEM is the certificate alone.
func (i *Issued) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.Certificate.Raw})
}

// ChainPEM is the certificate and, after it, each issuer below the root. Of a
// self-signed certificate it is that certificate.
func (i *Issued) ChainPEM() []byte {
	chain := i.PEM()
	for _, issuer := range i.intermediates() {
		chain = append(chain, issuer.PEM()...)
	}
	return chain
}

// KeyPEM is the private key in PKCS #8 (RFC 5958). It fails on a key that
// cannot be exported.
func (i *Issued) KeyPEM() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(i.Key)
	if err != nil {
		return nil, fmt.Errorf("testca: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// TLSCertificate is what a TLS client or server presents: the certificates of
// ChainPEM and the key.
func (i *Issued) TLSCertificate() tls.Certificate {
	cert := tls.Certificate{Certificate: [][]byte{i.Certificate.Raw}, PrivateKey: i.Key, Leaf: i.Certificate}
	for _, issuer := range i.intermediates() {
		cert.Certificate = append(cert.Certificate, issuer.Certificate.Raw)
	}
	return cert
}

// Thumbprint is the SHA-256 of the certificate's DER, x5t#S256 before its
// base64url (RFC 8705 section 3.1).
func (i *Issued) Thumbprint() [sha256.Size]byte {
	return sha256.Sum256(i.Certificate.Raw)
}

// URLEncodedPEM is PEM as Envoy writes it in source.certificate and in XFCC:
// percent-encoded, but only the five characters below.
func (i *Issued) URLEncodedPEM() string {
	encoder := strings.NewReplacer(" ", "%20", "\n", "%0A", "+", "%2B", "/", "%2F", "=", "%3D")
	return encoder.Replace(string(i.PEM()))
}

// intermediates are the issuers from the nearest up, without the root.
func (i *Issued) intermediates() []*Issued {
	var found []*Issued
	for at := i.Issuer; at != nil && at.Issuer != nil; at = at.Issuer {
		found = append(found, at)
	}
	return found
}
