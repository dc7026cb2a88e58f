package truststore

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"crypto/x509"

	"github.com/certbearer/certbearer/policies/decision"
)

// MaxSignatureChecks bounds the signature checks that one decision may cost.
const MaxSignatureChecks = 50

// Chain is a presented certificate with the intermediates presented beside it.
// It remembers which signatures were checked, so that finding the client and
// judging the certificate pay for each only once, and it counts them. It
// belongs to one decision and is not safe for concurrent use.
type Chain struct {
	Leaf          *x509.Certificate
	Thumbprint    [sha256.Size]byte // of the leaf's DER
	Intermediates []*x509.Certificate

	checks int
	seen   map[link]error
}

// link is one signature: the issuer's key and name, as they stand in its
// certificate, and the certificate that it should have signed.
type link struct{ issuer, subject *x509.Certificate }

// NewChain makes a Chain. Intermediates may be in any order, and may have
// nothing to do with the leaf.
func NewChain(leaf *x509.Certificate, intermediates []*x509.Certificate) *Chain {
	return &Chain{
		Leaf:          leaf,
		Thumbprint:    sha256.Sum256(leaf.Raw),
		Intermediates: intermediates,
		seen:          make(map[link]error),
	}
}

// Certificates returns the leaf and the intermediates. An anchor that is the
// named issuer of none of them proves nothing.
func (c *Chain) Certificates() []*x509.Certificate {
	return append([]*x509.Certificate{c.Leaf}, c.Intermediates...)
}

// Signed reports whether the anchor's key made the signature of the
// certificate, which is one of the chain's, and whose issuer it is by name.
// The error is PathTooComplex when the decision's signature checks are used
// up, and SignatureWeak, KeyWeak or KeyUnsupported where the signature was not
// even looked at.
func (c *Chain) Signed(anchor *Anchor, certificate *x509.Certificate) (bool, error) {
	return c.signed(anchor.Certificate, certificate)
}

// SelfSigned reports whether the certificate's own key made its signature.
func (c *Chain) SelfSigned(certificate *x509.Certificate) bool {
	return c.check(certificate, certificate) == nil
}

func (c *Chain) signed(issuer, subject *x509.Certificate) (bool, error) {
	err := c.check(issuer, subject)
	if decision.ReasonOf(err) == decision.PathNotFound {
		return false, nil
	}
	return err == nil, err
}

func (c *Chain) touches(anchor *Anchor) bool {
	if bytes.Equal(c.Leaf.RawIssuer, anchor.Certificate.RawSubject) {
		return true
	}
	for _, intermediate := range c.Intermediates {
		if bytes.Equal(intermediate.RawIssuer, anchor.Certificate.RawSubject) {
			return true
		}
	}
	return false
}

// ProvenBy works down from the anchor, so that what nobody signed costs no
// signature check. It returns the presented intermediates that the anchor's
// signatures reach, and whether they reach the leaf. Names and signatures are
// all it looks at: validity, constraints and purposes are Verify's.
//
// The error is PathTooComplex when the decision's signature checks are used
// up, and SignatureWeak, KeyWeak or KeyUnsupported when the leaf hangs on a
// signature that is not accepted.
func (c *Chain) ProvenBy(anchor *Anchor) (proven []*x509.Certificate, leaf bool, err error) {
	issuers := []*x509.Certificate{anchor.Certificate}
	reached := make(map[*x509.Certificate]bool, len(c.Intermediates))
	var weak error
	for len(issuers) > 0 {
		issuer := issuers[0]
		issuers = issuers[1:]
		if !leaf {
			signed, err := c.signed(issuer, c.Leaf)
			if decision.ReasonOf(err) == decision.PathTooComplex {
				return nil, false, err
			}
			leaf, weak = signed, cmp.Or(weak, err)
		}
		for _, candidate := range c.Intermediates {
			if reached[candidate] || !isIssuer(candidate) {
				continue
			}
			signed, err := c.signed(issuer, candidate)
			if decision.ReasonOf(err) == decision.PathTooComplex {
				return nil, false, err
			}
			if signed {
				reached[candidate] = true
				proven = append(proven, candidate)
				issuers = append(issuers, candidate)
			}
		}
	}
	if !leaf && weak != nil {
		return nil, false, weak
	}
	return proven, leaf, nil
}

// check verifies one signature, or returns what it found the last time.
func (c *Chain) check(issuer, subject *x509.Certificate) error {
	if !bytes.Equal(issuer.RawSubject, subject.RawIssuer) {
		return decision.Denyf(decision.PathNotFound, "certificate", "another issuer")
	}
	key := link{issuer, subject}
	if err, known := c.seen[key]; known {
		return err
	}
	if c.checks >= MaxSignatureChecks {
		return decision.Denyf(decision.PathTooComplex, "certificate chain", "more than %d signature checks", MaxSignatureChecks)
	}
	c.checks++
	err := checkSignature(issuer, subject)
	c.seen[key] = err
	return err
}

func checkSignature(issuer, subject *x509.Certificate) error {
	if err := checkSignatureAlgorithm(subject); err != nil {
		return err
	}
	if err := checkKey(issuer); err != nil {
		return err
	}
	if err := issuer.CheckSignature(subject.SignatureAlgorithm, subject.RawTBSCertificate, subject.Signature); err != nil {
		return decision.Deny(decision.PathNotFound, describe(subject), err)
	}
	return nil
}
