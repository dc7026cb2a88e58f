package truststore

import (
	"crypto/x509"
	"errors"
	"math"
	"slices"

	"github.com/certbearer/certbearer/policies/decision"
)

// state is what the certificates above allow of the next one (RFC 5280 6.1.2).
type state struct {
	chain *Chain
	terms Terms
	// room is how many more CAs may follow, self-issued ones not counted, and
	// limit the CA that says so, nil if it is the terms.
	room  int
	limit *x509.Certificate

	above    []*constraints
	policies policyState
}

// begin is the state below an anchor. RFC 5280 takes no more of an anchor than
// name and key; its certificate is held to all that a CA's is (RFC 5937), but for
// its own serial number and, where it is self-signed, its authorityKeyIdentifier.
func begin(chain *Chain, terms Terms, anchor *x509.Certificate) (state, error) {
	s := state{chain: chain, terms: terms, room: math.MaxInt, policies: terms.initialPolicies()}
	if terms.MaxIntermediates != nil {
		s.room = *terms.MaxIntermediates
	}
	if err := s.checkCA(anchor); err != nil {
		return s, err
	}
	if err := s.checkAnchorForm(anchor); err != nil {
		return s, err
	}
	var err error
	if len(anchor.Policies) > 0 {
		if s.policies, err = s.enterPolicies(anchor, true); err != nil {
			return s, err
		}
	}
	return s.below(anchor, true)
}

func (s state) checkAnchorForm(anchor *x509.Certificate) error {
	switch profile := s.terms.Profile; {
	case profile == Compatible: // a signature check is not free
	case len(anchor.AuthorityKeyId) == 0 && !s.chain.selfIssued(anchor) && s.chain.verified(anchor, anchor) != nil:
		return profile.form(anchor, "it is signed by another CA and has no authorityKeyIdentifier (RFC 5280 4.2.1.1)")
	case !extensionOf(anchor, oidBasicConstraints).Critical:
		return profile.form(anchor, "its basicConstraints are not critical (RFC 5280 4.2.1.9)")
	}
	return nil
}

// through is the state below a CA that is itself below this one: RFC 5280 6.1.3
// and 6.1.4.
func (s state) through(ca *x509.Certificate) (state, error) {
	if err := s.terms.Profile.checkIssued(ca); err != nil {
		return s, err
	}
	if err := s.checkCA(ca); err != nil {
		return s, err
	}
	selfIssued := s.chain.selfIssued(ca)
	if !selfIssued {
		if err := s.chain.allowNames(ca, s.above, s.terms.Profile); err != nil {
			return s, err
		}
		if s.room <= 0 {
			return s, s.tooDeep(ca)
		}
		s.room--
	}
	var err error
	if s.policies, err = s.enterPolicies(ca, selfIssued); err != nil {
		return s, err
	}
	return s.below(ca, selfIssued)
}

// checkCA is what anchors and other CAs have in common.
func (s state) checkCA(ca *x509.Certificate) error {
	if err := checkEncoding(ca); err != nil {
		return err
	}
	if err := checkValidity(ca, s.terms.At); err != nil {
		return decision.Deny(decision.PathExpired, describe(ca), errors.Unwrap(err)) // its cause: what it is called of a leaf says nothing here
	}
	if err := s.terms.Profile.checkAuthority(ca); err != nil {
		return err
	}
	return s.terms.checkAuthorityPurpose(ca)
}

func (s state) below(ca *x509.Certificate, selfIssued bool) (state, error) {
	if limit, set := limited(ca.MaxPathLen, ca.MaxPathLenZero); set && limit < s.room {
		s.room, s.limit = limit, ca
	}
	constraints, err := s.chain.constraintsOf(ca, s.terms.Profile)
	if err != nil {
		return s, err
	}
	if constraints != nil {
		s.above = append(slices.Clip(s.above), constraints)
	}
	s.policies, err = s.policies.below(ca, selfIssued)
	return s, err
}

// enterPolicies follows the policies into a certificate, while the decision may.
func (s state) enterPolicies(c *x509.Certificate, mayAny bool) (policyState, error) {
	followed := len(c.Policies) + len(c.PolicyMappings) + len(s.policies.expected)
	s.chain.policies += followed
	if s.chain.policies > maxPoliciesFollowed {
		return s.policies, decision.Denyf(decision.PathTooComplex, describe(c), "more than %d certificate policies were followed in search of a path", maxPoliciesFollowed)
	}
	if err := s.chain.work.spend(followed*5/8, maxWork); err != nil {
		return s.policies, err
	}
	return s.policies.enter(c, mayAny)
}

func (s state) tooDeep(ca *x509.Certificate) error {
	if s.limit == nil {
		return decision.Denyf(decision.PathInvalid, describe(ca), "the path has more than %s", plural(*s.terms.MaxIntermediates, "intermediate"))
	}
	return decision.Denyf(decision.PathInvalid, describe(ca), "the pathLenConstraint of %s leaves no room for it", describe(s.limit))
}

// accept judges the leaf below the state: RFC 5280 6.1.3 and 6.1.5.
func (s state) accept(leaf *x509.Certificate) error {
	if err := s.terms.CheckLeaf(leaf); err != nil {
		return err
	}
	if err := s.terms.Profile.checkIssued(leaf); err != nil {
		return err
	}
	if err := s.terms.Profile.checkLeaf(leaf); err != nil {
		return err
	}
	if err := s.chain.allowNames(leaf, s.above, s.terms.Profile); err != nil {
		return err
	}
	policies, err := s.enterPolicies(leaf, false)
	if err != nil {
		return err
	}
	return policies.accept(leaf)
}
