package revocation

import (
	"crypto/x509"
	"slices"

	"github.com/certbearer/certbearer/policies/truststore"
)

// maxAbove bounds the CAs of a store above a pinned certificate.
const maxAbove = 8

// WithIssuers returns the path from a pinned certificate over those of its
// client's CAs that issued it: with a CA in the store, the pin is held to what
// that CA takes back. Where none did, and for a certificate that signed itself,
// the path is the certificate alone.
//
// It costs a signature check for each CA of a fitting name: whoever judges often
// keeps the path.
func WithIssuers(pinned *x509.Certificate, anchors []*truststore.Anchor) truststore.Path {
	path := truststore.Path{pinned}
	for len(path) <= maxAbove {
		issuer := issuerOf(path[len(path)-1], anchors)
		if issuer == nil {
			break
		}
		path = append(path, issuer)
	}
	return path
}

// Onward returns the path, and on from its end over those of the anchors that issued
// one another: WithIssuers for a path that may be longer than one. An intermediate
// that is trusted itself is held to what the CA above it takes back, if that is in
// the store too.
func Onward(path truststore.Path, anchors []*truststore.Anchor) truststore.Path {
	return append(slices.Clip(path), WithIssuers(path[len(path)-1], anchors)[1:]...)
}

func issuerOf(c *x509.Certificate, anchors []*truststore.Anchor) *x509.Certificate {
	if sameName(c.RawIssuer, c.RawSubject) && checkSignature(c, c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil {
		return nil
	}
	for _, anchor := range anchors {
		issuer := anchor.Certificate
		if sameName(issuer.RawSubject, c.RawIssuer) && checkSignature(issuer, c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil {
			return issuer
		}
	}
	return nil
}
