// Package peercert owns the reading of evidence: from what a proxy hands over
// with a request it takes the one client certificate that the proxy saw proven
// in a TLS handshake, and the intermediates that came with it.
//
// It proves nothing itself and judges nothing. Whether the caller that hands
// the evidence over may be believed is settled before ([Presented] comes from
// a proven proxy or not at all); whether the certificate is any good is settled
// after. In between, every byte counts as hostile: size and number are bounded
// before anything is parsed, the grammar has no lenient spot, and whatever does
// not fit is refused with a [decision.Denial] that names the reason and the
// place. There is no partial result and no fallback from one source to another.
//
// An identity is only ever read from the DER of [Evidence.Leaf]. The names
// that a header spells out beside it (Subject, URI, DNS) are text that the
// certificate's owner chose, and are skipped.
package peercert

import "crypto/x509"

// The limits of one request's evidence.
const (
	// MaxBytes bounds source.certificate and all values of
	// x-forwarded-client-cert together, or all of another header, as they
	// arrive (still encoded).
	MaxBytes = 64 << 10
	// MaxCertificates bounds the different certificates of one request, and
	// the blocks of one chain; the leaf counts.
	MaxCertificates = 10
	// MaxNameBytes bounds the subject and the issuer of a certificate, as
	// encoded, and MaxNameAttributes how many attributes either has. Writing a
	// name out, as records do, costs the square of their number.
	MaxNameBytes      = 8 << 10
	MaxNameAttributes = 64
	// MaxExtensions bounds the extensions of a certificate, which are searched
	// for each of those that count, on every path. Real ones have a dozen.
	MaxExtensions = 64
	// MaxElements bounds the elements of x-forwarded-client-cert, and so the
	// number of hops that can be configured.
	MaxElements = 10
)

// Presented is what a proven caller hands over about the client's certificate.
// It is a plain value: nothing in it has been looked at yet.
type Presented struct {
	// PeerCertificate is Envoy's source.certificate: the leaf of the
	// downstream connection as URL-encoded PEM. Empty means that the client
	// sent no certificate.
	PeerCertificate []byte
	// Header returns every value of a request header, in order, under its
	// lower-case name. A nil func means that there are no headers.
	Header func(name string) []string
	// TLSChain is what the client proved to us, leaf first, where we end TLS
	// ourselves. Only [TLS] looks at it.
	TLSChain []*x509.Certificate
	// Statement is what a signed statement is held to. Only [Statement] looks at it.
	Statement *StatementTerms
}

// Evidence is the certificate that was proven. It is not judged: it may be
// expired, self-signed or unknown.
type Evidence struct {
	// Leaf is the client's certificate; never nil in evidence without error.
	Leaf *x509.Certificate
	// Intermediates came with the leaf, in the order of the handshake, each
	// once and without the leaf. They are hints for building a path; nobody
	// vouches for them.
	Intermediates []*x509.Certificate
	// Thumbprint is the SHA-256 of Leaf's DER, as in x5t#S256 (RFC 8705
	// section 3.1).
	Thumbprint [32]byte
}

func (p Presented) header(name string) []string {
	if p.Header == nil {
		return nil
	}
	return p.Header(name)
}
