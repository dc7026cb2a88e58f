package truststore

import (
	"crypto/x509"
	"time"

	"github.com/certbearer/certbearer/policies/decision"
)

// Terms say what a certificate is judged for. With no field set but At they are
// those of [CheckLeaf] and [Verify], by which clients are judged.
type Terms struct {
	At time.Time
	// AnyPurpose leaves out what keyUsage and extendedKeyUsage say of the leaf
	// (RFC 5280 4.2.1.3, 4.2.1.12) and extendedKeyUsage of the CAs. A CA on the
	// path must still be one.
	AnyPurpose bool
	// MaxIntermediates bounds the CAs between leaf and anchor, self-issued ones
	// not counted, as pathLenConstraint does; nil sets no bound beside
	// MaxSignatureChecks.
	MaxIntermediates *int
	// Profile is the form that certificates on the path are to have.
	Profile Profile
	// Policies are certificate policies in dotted form, one of which has to lead
	// down the whole path (RFC 5280 6.1: an explicit policy is required, and
	// these are the user-initial-policy-set). None: only a CA may require one.
	// At most MaxPolicies; of more, nothing is accepted.
	Policies []string
}

// CheckLeaf is the function [CheckLeaf] on these terms.
func (t Terms) CheckLeaf(leaf *x509.Certificate) error {
	if err := checkEncoding(leaf); err != nil {
		return err
	}
	if err := checkValidity(leaf, t.At); err != nil {
		return err
	}
	if err := checkKey(leaf); err != nil {
		return err
	}
	if err := checkSignatureAlgorithm(leaf); err != nil {
		return err
	}
	if err := t.checkLeafPurpose(leaf); err != nil {
		return err
	}
	return checkCritical(leaf)
}

func (t Terms) checkLeafPurpose(leaf *x509.Certificate) error {
	if t.AnyPurpose {
		return checkSomePurpose(leaf)
	}
	return checkPurpose(leaf)
}

// checkAuthorityPurpose nests extendedKeyUsage: a CA that has it issues for those
// purposes only.
func (t Terms) checkAuthorityPurpose(ca *x509.Certificate) error {
	if t.AnyPurpose {
		return checkSomePurpose(ca)
	}
	return checkExtendedPurpose(ca)
}

// Verify is the function [Verify] on these terms.
func (t Terms) Verify(chain *Chain, anchors []*Anchor) (Path, error) {
	chain.tried.begin()
	if isCA(chain.Leaf) {
		return nil, decision.Denyf(decision.CertificateIsCA, describe(chain.Leaf), "a CA certificate is accepted only where it is pinned")
	}
	if len(t.Policies) > MaxPolicies {
		return nil, decision.Denyf(decision.PathTooComplex, "certificate policies", "more than %d are asked for", MaxPolicies)
	}
	w := newWalk(chain, t)
	for _, anchor := range anchors {
		path, err := w.from(anchor)
		if path != nil || err != nil {
			return path, err
		}
	}
	w.tried.end(chain, anchors)
	return nil, w.why(len(anchors))
}
