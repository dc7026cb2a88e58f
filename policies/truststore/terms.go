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
	// (RFC 5280 4.2.1.3, 4.2.1.12). A CA on the path must still be one.
	AnyPurpose bool
	// MaxCertificates bounds the path, leaf and anchor included; 0 sets no
	// bound beside MaxSignatureChecks.
	MaxCertificates int
}

// CheckLeaf is the function [CheckLeaf] on these terms.
func (t Terms) CheckLeaf(leaf *x509.Certificate) error {
	if err := checkValidity(leaf, t.At); err != nil {
		return err
	}
	if err := checkKey(leaf); err != nil {
		return err
	}
	if err := checkSignatureAlgorithm(leaf); err != nil {
		return err
	}
	if !t.AnyPurpose {
		if err := checkPurpose(leaf); err != nil {
			return err
		}
	}
	return checkCritical(leaf)
}

// Verify is the function [Verify] on these terms. A path that is good but too
// long is PathInvalid.
func (t Terms) Verify(chain *Chain, anchors []*Anchor) (Path, error) {
	if isCA(chain.Leaf) {
		return nil, decision.Denyf(decision.CertificateIsCA, describe(chain.Leaf), "a CA certificate is accepted only where it is pinned")
	}
	roots, intermediates, err := provenPools(chain, anchors)
	if err != nil {
		return nil, err
	}
	paths, err := chain.Leaf.Verify(x509.VerifyOptions{
		Roots:         roots,
		Intermediates: intermediates,
		CurrentTime:   t.At,
		KeyUsages:     t.usages(),
	})
	if err != nil {
		return nil, classify(err)
	}
	if paths, err = t.withinDepth(paths); err != nil {
		return nil, err
	}
	return strongest(paths)
}

func (t Terms) usages() []x509.ExtKeyUsage {
	if t.AnyPurpose {
		return []x509.ExtKeyUsage{x509.ExtKeyUsageAny}
	}
	return []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
}

func (t Terms) withinDepth(paths [][]*x509.Certificate) ([][]*x509.Certificate, error) {
	if t.MaxCertificates == 0 {
		return paths, nil
	}
	var short [][]*x509.Certificate
	for _, path := range paths {
		if len(path) <= t.MaxCertificates {
			short = append(short, path)
		}
	}
	if len(short) == 0 {
		return nil, decision.Denyf(decision.PathInvalid, "certificate path", "every path has more than %s", plural(t.MaxCertificates, "certificate"))
	}
	return short, nil
}
