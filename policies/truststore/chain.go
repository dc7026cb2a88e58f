package truststore

import (
	"cmp"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"slices"

	"github.com/certbearer/certbearer/policies/decision"
)

// Chain is a presented certificate with the intermediates presented beside it.
// It remembers which signatures were checked, so that finding the client and
// judging the certificate pay for each only once, and it counts them. It
// belongs to one decision and is not safe for concurrent use.
type Chain struct {
	Leaf          *x509.Certificate
	Thumbprint    [sha256.Size]byte // of the leaf's DER
	Intermediates []*x509.Certificate

	work        Work
	unfit       int // keys that cannot have made a signature
	steps       int // of walks
	comparisons int // of names with constraints
	read        int // bytes of name constraints
	readNames   int // bytes of directory names, in them and among alternative names
	policies    int // certificate policies that were followed
	seen        map[link]error
	others      map[link][]byte     // see OtherSigner
	cas         []*x509.Certificate // see leading
	led         bool
	folded      map[*x509.Certificate]certNames
	subjects    map[readBy]subjectNames
	twin        *twin // nil before it was asked for
	constrained map[readBy]constrained
	tried       *Tried // see Watch
}

// link is one signature: the issuer's key, as it stands in its certificates, and
// the certificate that it should have signed.
type link struct {
	key     string
	subject *x509.Certificate
}

// readBy is a certificate as it is read by a profile.
type readBy struct {
	certificate *x509.Certificate
	profile     Profile
}

// NewChain makes a Chain. Intermediates may be in any order, and may have
// nothing to do with the leaf.
func NewChain(leaf *x509.Certificate, intermediates []*x509.Certificate) *Chain {
	c := &Chain{
		Leaf:          leaf,
		Thumbprint:    sha256.Sum256(leaf.Raw),
		Intermediates: intermediates,
		seen:          make(map[link]error),
		others:        make(map[link][]byte),
		folded:        make(map[*x509.Certificate]certNames),
	}
	for _, certificate := range c.Certificates() {
		c.work.spent += len(certificate.Raw) / readBytesPerWork // was read before
	}
	return c
}

// Work is what the decision has taken so far, for those who go on with it.
func (c *Chain) Work() *Work { return &c.work }

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

// ProvenBy works down from the anchor, so that what nobody signed costs no
// signature check, and looks at nothing from which names do not lead to the leaf.
// It returns the presented intermediates that the anchor's signatures reach, and whether they reach the leaf. Names and signatures are
// all it looks at: validity, constraints and purposes are Verify's.
//
// The error is PathTooComplex when the decision's signature checks are used
// up, and SignatureWeak, KeyWeak or KeyUnsupported when the leaf hangs on a
// signature that is not accepted.
func (c *Chain) ProvenBy(anchor *Anchor) (proven []*x509.Certificate, leaf bool, err error) {
	issuers := []*x509.Certificate{anchor.Certificate}
	reached := make(map[*x509.Certificate]bool, len(c.Intermediates))
	candidates := c.leading()
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
		for _, candidate := range candidates {
			if reached[candidate] {
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

// leading returns the presented CAs from which names lead to the leaf. No other
// is worth a signature check.
func (c *Chain) leading() []*x509.Certificate {
	if c.led {
		return c.cas
	}
	open := []*x509.Certificate{c.Leaf}
	for len(open) > 0 {
		subject := open[0]
		open = open[1:]
		for _, candidate := range c.Intermediates {
			if isIssuer(candidate) && c.named(candidate, subject) && !slices.Contains(c.cas, candidate) {
				c.cas = append(c.cas, candidate)
				open = append(open, candidate)
			}
		}
	}
	c.led = true
	return c.cas
}

// check verifies one signature, if the names fit.
func (c *Chain) check(issuer, subject *x509.Certificate) error {
	if !c.named(issuer, subject) {
		return errOtherIssuer
	}
	return c.verified(issuer, subject)
}

// errOtherIssuer is no fault of anything: it is what most pairs of certificates are.
var errOtherIssuer error = decision.Deny(decision.PathNotFound, "certificate", errors.New("another issuer"))

// errOtherKey is of a key of another kind or size than the one that made the signature.
var errOtherKey error = decision.Deny(decision.PathNotFound, "certificate", errors.New("signed by a key of another kind or size"))

// verified verifies one signature, or returns what it found the last time.
func (c *Chain) verified(issuer, subject *x509.Certificate) error {
	key := link{string(issuer.RawSubjectPublicKeyInfo), subject}
	if err, known := c.seen[key]; known {
		return err
	}
	if !mayFit(issuer, subject) {
		if c.unfit++; c.unfit > maxUnfit {
			return decision.Denyf(decision.PathTooComplex, "certificate chain", "more than %d keys that cannot have made a signature", maxUnfit)
		}
		return errOtherKey
	}
	if err := c.work.Check(issuer, len(subject.RawTBSCertificate)); err != nil {
		return err
	}
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
