package revocation

import (
	"crypto/x509"
	"slices"

	"github.com/certbearer/certbearer/policies/truststore"
)

// maxAbove bounds the CAs of a store above a pinned certificate.
const maxAbove = 8

// WithIssuers is Onward for a certificate alone, such as a pinned one, and for those
// who judge nothing: where it would take more than a decision may, the path ends.
func WithIssuers(certificate *x509.Certificate, anchors []*truststore.Anchor) truststore.Path {
	path, _ := Onward(truststore.NewChain(certificate, nil), truststore.Path{certificate}, anchors)
	return path
}

// Onward returns the path, and on from its end over those of the client's CAs that
// issued one another. With a CA in the store, a pinned certificate and an intermediate
// that is trusted itself are held to what that CA takes back. Where none issued it, and
// for a certificate that signed itself, the path is as it was.
//
// It draws on what the chain's decision may take. The error is PathTooComplex; then the
// path ends where it was found to.
func Onward(chain *truststore.Chain, path truststore.Path, anchors []*truststore.Anchor) (truststore.Path, error) {
	path = slices.Clip(path)
	for range maxAbove {
		issuer, err := chain.StoredIssuer(path[len(path)-1], anchors)
		if issuer == nil || err != nil {
			return path, err
		}
		path = append(path, issuer)
	}
	return path, nil
}
