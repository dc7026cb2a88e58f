package truststore

import (
	"crypto/x509"
	"errors"
	"time"

	"github.com/certbearer/certbearer/policies/decision"
)

// Path is an accepted certification path, leaf first, anchor last. A pinned
// certificate is a path of one.
type Path []*x509.Certificate

// Until returns the moment at which the first certificate of the path ends.
func (p Path) Until() time.Time {
	var until time.Time
	for i, certificate := range p {
		if i == 0 || certificate.NotAfter.Before(until) {
			until = certificate.NotAfter
		}
	}
	return until
}

// Verify finds a path from the chain's leaf to one of the anchors that is good
// at the given time for TLS client authentication. The leaf has passed
// CheckLeaf. Of the intermediates only those that an anchor's signatures reach
// are used.
func Verify(chain *Chain, anchors []*Anchor, at time.Time) (Path, error) {
	return Terms{At: at}.Verify(chain, anchors)
}

// isCA is about what the certificate claims, not whether it may issue: a leaf
// that asserts either is no client certificate.
func isCA(c *x509.Certificate) bool {
	return c.BasicConstraintsValid && c.IsCA || c.KeyUsage&x509.KeyUsageCertSign != 0
}

// provenPools gathers the anchors that prove the leaf and the intermediates
// between. The error is PathNotFound when none does, unless one fell for a
// reason that says more.
func provenPools(chain *Chain, anchors []*Anchor) (roots, intermediates *x509.CertPool, err error) {
	roots, intermediates = x509.NewCertPool(), x509.NewCertPool()
	found := false
	err = decision.Denyf(decision.PathNotFound, describe(chain.Leaf), "no signature leads to one of the client's %s", plural(len(anchors), "anchor"))
	for _, anchor := range anchors {
		if !chain.touches(anchor) {
			continue
		}
		between, leaf, proveErr := chain.ProvenBy(anchor)
		if decision.ReasonOf(proveErr) == decision.PathTooComplex {
			return nil, nil, proveErr
		}
		if proveErr != nil {
			err = proveErr
		}
		if !leaf {
			continue
		}
		found = true
		roots.AddCert(anchor.Certificate)
		for _, intermediate := range between {
			intermediates.AddCert(intermediate)
		}
	}
	if !found {
		return nil, nil, err
	}
	return roots, intermediates, nil
}

// classify names the reason of what crypto/x509 refused.
func classify(err error) error {
	var invalid x509.CertificateInvalidError
	var unhandled x509.UnhandledCriticalExtension
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return decision.Deny(decision.PathExpired, describe(invalid.Cert), err)
	case errors.As(err, &invalid) && invalid.Reason == x509.IncompatibleUsage:
		return decision.Deny(decision.CertificatePurpose, "certificate path", err)
	case errors.As(err, &invalid) && invalid.Reason == x509.TooManyConstraints:
		return decision.Deny(decision.PathTooComplex, "certificate path", err)
	case errors.As(err, &unhandled):
		return decision.Deny(decision.CriticalExtensionUnknown, "certificate path", err)
	}
	return decision.Deny(decision.PathInvalid, "certificate path", err)
}

// strongest returns the first path of which every key is accepted. Those that
// prove the leaf were held to the same list on the way down, but crypto/x509 may
// have found another path, and the leaf's own key is known only to CheckLeaf.
func strongest(paths [][]*x509.Certificate) (Path, error) {
	var firstErr error
	for _, path := range paths {
		err := checkKeys(path)
		if err == nil {
			return path, nil
		}
		if firstErr == nil {
			firstErr = err
		}
	}
	return nil, firstErr
}

func checkKeys(path []*x509.Certificate) error {
	for _, certificate := range path {
		if err := checkKey(certificate); err != nil {
			return err
		}
	}
	return nil
}
