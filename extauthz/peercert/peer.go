package peercert

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"

	"github.com/certbearer/certbearer/policies/decision"
)

// fromPeer takes the leaf from source.certificate. The header may add
// intermediates, if it speaks of that leaf, and nothing else.
func (r *Reader) fromPeer(p Presented, t *decision.Trace) (Evidence, error) {
	values := p.header(xfccHeader)
	if len(p.PeerCertificate) == 0 {
		return Evidence{}, noPeer(values)
	}
	if err := withinSize(p.PeerCertificate, xfccHeader, values); err != nil {
		return Evidence{}, err
	}
	var certificates pool
	leaf, err := certificates.peer(string(p.PeerCertificate))
	if err != nil {
		return Evidence{}, err
	}
	evidence := Evidence{Leaf: leaf, Thumbprint: sha256.Sum256(leaf.Raw)}
	if len(values) == 0 {
		if t.On() {
			t.Note(decision.StepEvidence, "no %s: no intermediates", xfccHeader)
		}
		return evidence, nil
	}
	e, err := r.choose(values, &certificates, t)
	if err != nil {
		return Evidence{}, err
	}
	if err := e.speaksOf(evidence); err != nil {
		return Evidence{}, err
	}
	evidence.Intermediates, err = e.intermediates(leaf, &certificates)
	return evidence, err
}

// noPeer is the denial without source.certificate. A header beside it tells an
// Envoy that was not told to send the certificate from a caller that has none.
func noPeer(values []string) error {
	if len(values) > 0 {
		return decision.Denyf(decision.CertificateMissing, peerField, "absent beside %s: is include_peer_certificate set?", xfccHeader)
	}
	return decision.Denyf(decision.CertificateMissing, peerField, "absent")
}

// peer parses source.certificate.
func (p *pool) peer(encoded string) (*x509.Certificate, error) {
	if hasControl(encoded) {
		return nil, decision.Denyf(decision.CertificateMalformed, peerField, "a control character that is not URL-encoded")
	}
	ders, err := readBlocks(encoded, 1)
	if err != nil {
		return nil, decision.Deny(decision.CertificateMalformed, peerField, err)
	}
	return p.parse(ders[0], field{})
}

// speaksOf refuses an element about a certificate other than the proven one.
func (e *element) speaksOf(proven Evidence) error {
	if !e.has(keyCert) {
		return e.matchesHash(proven.Thumbprint)
	}
	if !bytes.Equal(e.der, proven.Leaf.Raw) {
		return decision.Denyf(decision.ChainLeafMismatch, e.at(keyCert).String(),
			"not the certificate of %s", peerField)
	}
	return nil
}
