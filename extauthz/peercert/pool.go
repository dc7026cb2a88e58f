package peercert

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"slices"

	"github.com/certbearer/certbearer/policies/decision"
)

// pool holds the certificates of one request, so that each is parsed once and
// their number has one bound, wherever they stand.
type pool struct {
	certificates []*x509.Certificate
}

// parse returns the certificate of der, which must be one whole certificate
// and nothing more. Equal bytes give the same pointer.
func (p *pool) parse(der []byte, where field) (*x509.Certificate, error) {
	for _, known := range p.certificates {
		if bytes.Equal(known.Raw, der) {
			return known, nil
		}
	}
	if len(p.certificates) == MaxCertificates {
		return nil, decision.Denyf(decision.EvidenceTooManyCertificates, where.String(),
			"more than %d different certificates", MaxCertificates)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		// %.200s: the parser quotes names of the certificate, however long.
		return nil, decision.Denyf(decision.CertificateMalformed, where.String(), "%.200s", err.Error())
	}
	if err := boundParts(certificate); err != nil {
		return nil, decision.Deny(decision.CertificateMalformed, where.String(), err)
	}
	p.certificates = append(p.certificates, certificate)
	return certificate, nil
}

// evidenceOf reads certificates that came together, the leaf first: at least one.
func evidenceOf(ders [][]byte, where field) (Evidence, error) {
	var certificates pool
	where.certificate = 1
	leaf, err := certificates.parse(ders[0], where)
	if err != nil {
		return Evidence{}, err
	}
	intermediates, err := certificates.intermediates(leaf, ders[1:], where)
	if err != nil {
		return Evidence{}, err
	}
	return Evidence{Leaf: leaf, Intermediates: intermediates, Thumbprint: sha256.Sum256(leaf.Raw)}, nil
}

// boundParts is asked before anything is made of names and extensions.
func boundParts(c *x509.Certificate) error {
	if len(c.RawSubject) > MaxNameBytes || len(c.RawIssuer) > MaxNameBytes {
		return fmt.Errorf("a subject or issuer of more than %d bytes", MaxNameBytes)
	}
	if len(c.Subject.Names) > MaxNameAttributes || len(c.Issuer.Names) > MaxNameAttributes {
		return fmt.Errorf("a subject or issuer of more than %d attributes", MaxNameAttributes)
	}
	if len(c.Extensions) > MaxExtensions {
		return fmt.Errorf("more than %d extensions", MaxExtensions)
	}
	return nil
}

// intermediates parses what follows the leaf in a chain. Clients repeat
// certificates, the leaf too; each is kept once. where is the place of what
// stands before the first of them.
func (p *pool) intermediates(leaf *x509.Certificate, rest [][]byte, where field) ([]*x509.Certificate, error) {
	var kept []*x509.Certificate
	for _, der := range rest {
		where.certificate++
		certificate, err := p.parse(der, where)
		if err != nil {
			return nil, err
		}
		if certificate != leaf && !slices.Contains(kept, certificate) {
			kept = append(kept, certificate)
		}
	}
	return kept, nil
}
