package truststore

import (
	"crypto/x509"
	"math/big"

	"github.com/certbearer/certbearer/policies/decision"
)

// maxSerialOctets is of RFC 5280 4.1.2.2.
const maxSerialOctets = 20

// checkProfile holds a certificate below an anchor to what RFC 5280 section 4
// demands of whoever issues one.
func checkProfile(certificate *x509.Certificate) error {
	if err := checkSerial(certificate.SerialNumber); err != "" {
		return invalid(certificate, err)
	}
	if emptyName(certificate.RawIssuer) {
		return invalid(certificate, "its issuer has no name (RFC 5280 4.1.2.4)")
	}
	if len(certificate.AuthorityKeyId) == 0 {
		return invalid(certificate, "it has no authorityKeyIdentifier with a keyIdentifier (RFC 5280 4.2.1.1)")
	}
	return checkCriticality(certificate)
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

// checkCriticality refuses extensions that are critical where they must not be,
// and those that are not where they must be: somebody who does not know the
// extension is to see no other certificate than we do. Key identifiers and
// authorityInfoAccess that are critical are not even read by crypto/x509.
func checkCriticality(c *x509.Certificate) error {
	for _, extension := range c.Extensions {
		switch ce(extension.Id) {
		case oidBasicConstraints:
			if !readBasicConstraints(extension.Value) {
				return invalid(c, "its basicConstraints are malformed (RFC 5280 4.2.1.9)")
			}
		case oidPolicyConstraints:
			// Those of a CA with policies were often not critical before RFC 5280; they
			// are processed all the same.
			if !extension.Critical && len(c.Policies) == 0 {
				return invalid(c, "its policyConstraints are not critical, and it has no policies (RFC 5280 4.2.1.11)")
			}
			if !readPolicyConstraints(extension.Value) {
				return invalid(c, "its policyConstraints are malformed (RFC 5280 4.2.1.11)")
			}
		case oidInhibitAnyPolicy:
			if !extension.Critical {
				return invalid(c, "its inhibitAnyPolicy is not critical (RFC 5280 4.2.1.14)")
			}
			if c.InhibitAnyPolicy < 0 {
				return invalid(c, "its inhibitAnyPolicy is negative (RFC 5280 4.2.1.14)")
			}
		case oidNameConstraints:
			if !c.IsCA {
				return invalid(c, "it has nameConstraints and is no CA (RFC 5280 4.2.1.10)")
			}
		}
	}
	return nil
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
func checkAuthority(c *x509.Certificate) error {
	switch {
	case !isIssuer(c):
		return invalid(c, "it is no CA, or may not sign certificates (RFC 5280 4.2.1.3, 4.2.1.9)")
	case !hasSubject(c):
		return invalid(c, "it is a CA without a subject (RFC 5280 4.1.2.6)")
	case len(c.SubjectKeyId) == 0:
		return invalid(c, "it is a CA without a subjectKeyIdentifier (RFC 5280 4.2.1.2)")
	case len(c.Policies)+len(c.PolicyMappings) > maxCertificatePolicies:
		return decision.Denyf(decision.PathTooComplex, describe(c), "it has more than %d certificate policies and mappings", maxCertificatePolicies)
	}
	if err := checkCritical(c); err != nil {
		return err
	}
	return checkCriticality(c)
}

// checkLeafProfile is about the leaf of a path only: a pinned certificate is
// whatever it is.
func checkLeafProfile(leaf *x509.Certificate) error {
	names := extensionOf(leaf, oidSubjectAltName)
	if !hasSubject(leaf) && (names == nil || !names.Critical) {
		return invalid(leaf, "it has no subject, and no critical subjectAltName instead (RFC 5280 4.2.1.6)")
	}
	if len(leaf.Policies)+len(leaf.PolicyMappings) > maxCertificatePolicies {
		return decision.Denyf(decision.PathTooComplex, describe(leaf), "it has more than %d certificate policies", maxCertificatePolicies)
	}
	return nil
}

func invalid(c *x509.Certificate, problem string) error {
	return decision.Denyf(decision.PathInvalid, describe(c), "%s", problem)
}
