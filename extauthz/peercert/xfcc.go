package peercert

import (
	"crypto/x509"

	"github.com/certbearer/certbearer/policies/decision"
)

// fromXFCC takes the leaf from Cert. Never from Chain: without a Cert beside
// it nothing says which of its certificates was proven.
func (r *Reader) fromXFCC(p Presented, t *decision.Trace) (Evidence, error) {
	values := p.header(xfccHeader)
	if len(values) == 0 {
		return Evidence{}, decision.Denyf(decision.CertificateMissing, xfccHeader, "absent")
	}
	if err := withinSize(p.PeerCertificate, xfccHeader, values); err != nil {
		return Evidence{}, err
	}
	var certificates pool
	e, err := r.choose(values, &certificates, t)
	if err != nil {
		return Evidence{}, err
	}
	if !e.has(keyCert) {
		return Evidence{}, decision.Denyf(decision.XFCCCertificateMissing, field{element: e.position}.String(), "no Cert")
	}
	leaf, err := certificates.parse(e.der, e.at(keyCert))
	if err != nil {
		return Evidence{}, err
	}
	intermediates, err := e.intermediates(leaf, &certificates)
	return Evidence{Leaf: leaf, Intermediates: intermediates, Thumbprint: e.sum}, err
}

// intermediates returns those of the element's Chain.
func (e *element) intermediates(leaf *x509.Certificate, certificates *pool) ([]*x509.Certificate, error) {
	rest, err := e.chain(leaf.Raw)
	if err != nil {
		return nil, err
	}
	where := e.at(keyChain)
	where.certificate = 1
	return certificates.intermediates(leaf, rest, where)
}
