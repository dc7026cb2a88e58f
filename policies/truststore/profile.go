package truststore

import (
	"cmp"
	"crypto/x509"
	"math/big"

	"github.com/certbearer/certbearer/policies/decision"
)

// maxSerialOctets is of RFC 5280 4.1.2.2.
const maxSerialOctets = 20

// checkIssued holds a certificate below an anchor to what RFC 5280 section 4
// demands of whoever issues one.
func (p Profile) checkIssued(c *x509.Certificate) error {
	var form error
	if problem := checkSerial(c.SerialNumber); problem != "" {
		form = p.form(c, problem)
	} else if len(c.AuthorityKeyId) == 0 {
		form = p.form(c, "it has no authorityKeyIdentifier with a keyIdentifier (RFC 5280 4.2.1.1)")
	}
	return cmp.Or(form, p.checkExtensions(c))
}

// maxCertificatePolicies bounds the policies of one certificate: each is compared
// with what the CAs above it left. maxPoliciesFollowed bounds those of a decision,
// in which a certificate counts for each path that leads to it: some 500 ns each.
const (
	maxCertificatePolicies = 256
	maxPoliciesFollowed    = 2500
)

func checkSerial(serial *big.Int) string {
	switch {
	case serial == nil || serial.Sign() <= 0:
		return "its serial number is not positive (RFC 5280 4.1.2.2)"
	case serial.BitLen() >= 8*maxSerialOctets: // the first bit is the sign's
		return "its serial number has more than 20 octets (RFC 5280 4.1.2.2)"
	}
	return ""
}

// checkExtensions refuses extensions that cannot be processed to the end, and, as
// a fault of form, those that are not critical where they must be: somebody who
// does not know the extension is to see no other certificate than we do. Key
// identifiers and authorityInfoAccess that are critical are not even read by
// crypto/x509.
func (p Profile) checkExtensions(c *x509.Certificate) error {
	var form error
	for _, extension := range c.Extensions {
		switch ce(extension.Id) {
		case oidBasicConstraints:
			if !readBasicConstraints(extension.Value) {
				return invalid(c, "its basicConstraints are malformed (RFC 5280 4.2.1.9)")
			}
		case oidPolicyConstraints:
			if !readPolicyConstraints(extension.Value) {
				return invalid(c, "its policyConstraints are malformed (RFC 5280 4.2.1.11)")
			}
			// Those of a CA with policies were often not critical before RFC 5280; they
			// are processed all the same.
			if !extension.Critical && len(c.Policies) == 0 {
				form = cmp.Or(form, p.form(c, "its policyConstraints are not critical, and it has no policies (RFC 5280 4.2.1.11)"))
			}
		case oidInhibitAnyPolicy:
			if c.InhibitAnyPolicy < 0 {
				return invalid(c, "its inhibitAnyPolicy is negative (RFC 5280 4.2.1.14)")
			}
			if !extension.Critical {
				form = cmp.Or(form, p.form(c, "its inhibitAnyPolicy is not critical (RFC 5280 4.2.1.14)"))
			}
		case oidNameConstraints:
			if !c.IsCA {
				form = cmp.Or(form, p.form(c, "it has nameConstraints and is no CA (RFC 5280 4.2.1.10)"))
			}
		}
	}
	return form
}

// readBasicConstraints reports whether crypto/x509 has read all of them. It
// passes over what stands where a pathLenConstraint could.
func readBasicConstraints(der []byte) bool {
	rest, ok := only(der, derSequence)
	for _, tag := range []byte{derBoolean, derInteger} {
		if ok && len(rest) > 0 && rest[0] == tag {
			_, _, rest, ok = element(rest)
		}
	}
	return ok && len(rest) == 0
}

// readPolicyConstraints reports whether crypto/x509 has read all of them. It
// passes over what it does not expect, and with it over the constraint.
func readPolicyConstraints(der []byte) bool {
	rest, ok := only(der, derSequence)
	last := byte(0)
	for ok && len(rest) > 0 {
		var tag byte
		var number []byte
		tag, number, rest, ok = element(rest)
		ok = ok && tag > last && (tag == 0x80 || tag == 0x81) && len(number) > 0 && number[0] < 0x80
		last = tag
	}
	return ok && last != 0
}

// checkAuthority holds a CA certificate to what can be said of it alone, an
// anchor too.
func (p Profile) checkAuthority(c *x509.Certificate) error {
	switch {
	case !isIssuer(c):
		return invalid(c, "it is no CA, or may not sign certificates (RFC 5280 4.2.1.3, 4.2.1.9)")
	case !hasSubject(c):
		return invalid(c, "it is a CA without a subject (RFC 5280 4.1.2.6)")
	case len(c.Policies)+len(c.PolicyMappings) > maxCertificatePolicies:
		return decision.Denyf(decision.PathTooComplex, describe(c), "it has more than %d certificate policies and mappings", maxCertificatePolicies)
	}
	if err := checkCritical(c); err != nil {
		return err
	}
	if err := p.checkExtensions(c); err != nil || len(c.SubjectKeyId) > 0 {
		return err
	}
	return p.form(c, "it is a CA without a subjectKeyIdentifier (RFC 5280 4.2.1.2)")
}

// checkLeafProfile is about the leaf of a path only: a pinned certificate is
// whatever it is.
func (p Profile) checkLeaf(leaf *x509.Certificate) error {
	if len(leaf.Policies)+len(leaf.PolicyMappings) > maxCertificatePolicies {
		return decision.Denyf(decision.PathTooComplex, describe(leaf), "it has more than %d certificate policies", maxCertificatePolicies)
	}
	if hasSubject(leaf) {
		return nil
	}
	switch names := extensionOf(leaf, oidSubjectAltName); {
	case names == nil:
		return invalid(leaf, "it has neither a subject nor a subjectAltName (RFC 5280 4.1.2.6)")
	case !names.Critical:
		return p.form(leaf, "it has no subject, and a subjectAltName that is not critical (RFC 5280 4.2.1.6)")
	}
	return nil
}
