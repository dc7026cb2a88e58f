package truststore

import (
	"crypto/x509"
	"encoding/asn1"
	"time"

	"github.com/certbearer/certbearer/policies/decision"
)

// CheckLeaf judges what a certificate says of itself, whoever vouches for it:
// encoding, validity at the time, key, signature algorithm, purposes and critical
// extensions. Pinned certificates are held to it as well.
func CheckLeaf(leaf *x509.Certificate, at time.Time) error {
	return Terms{At: at}.CheckLeaf(leaf)
}

// checkValidity counts in seconds, as certificates do: the last one is part of
// the validity to its end.
func checkValidity(leaf *x509.Certificate, at time.Time) error {
	at = at.Truncate(time.Second)
	if at.After(leaf.NotAfter) {
		return decision.Denyf(decision.CertificateExpired, describe(leaf), "its validity ended at %s", leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	if at.Before(leaf.NotBefore) {
		return decision.Denyf(decision.CertificateNotYetValid, describe(leaf), "its validity begins at %s", leaf.NotBefore.UTC().Format(time.RFC3339))
	}
	return nil
}

// checkCritical refuses critical extensions that are not processed. crypto/x509
// has a list as well: it lacks constraints on directory names, and has some that
// nothing here looks at.
func checkCritical(c *x509.Certificate) error {
	for _, extension := range c.Extensions {
		if extension.Critical && !processed(extension.Id) {
			return decision.Denyf(decision.CriticalExtensionUnknown, describe(c), "extension %s is critical and unknown", extension.Id)
		}
	}
	return nil
}

func processed(id asn1.ObjectIdentifier) bool {
	switch ce(id) {
	case oidSubjectKeyID, oidKeyUsage, oidSubjectAltName, oidBasicConstraints, oidNameConstraints, oidCRLDistribution,
		oidPolicies, oidPolicyMappings, oidAuthorityKeyID, oidPolicyConstraints, oidExtKeyUsage, oidInhibitAnyPolicy:
		return true
	}
	return false
}

// checkPurpose asks for TLS client authentication: extendedKeyUsage, where
// present, has clientAuth or anyExtendedKeyUsage (RFC 5280 4.2.1.12), and
// keyUsage, where present, has digitalSignature, which the handshake makes
// (4.2.1.3). The certificates of the seed have neither.
func checkPurpose(leaf *x509.Certificate) error {
	if !allows(leaf, x509.KeyUsageDigitalSignature) {
		return decision.Denyf(decision.CertificatePurpose, describe(leaf), "its keyUsage lacks digitalSignature%s", ofACA(leaf))
	}
	return checkExtendedPurpose(leaf)
}

// ofACA adds that somebody has likely taken a CA's certificate for a client's.
func ofACA(leaf *x509.Certificate) string {
	if leaf.IsCA {
		return ", for it is the certificate of a CA"
	}
	return ""
}

func checkExtendedPurpose(c *x509.Certificate) error {
	if extensionOf(c, oidExtKeyUsage) == nil {
		return nil
	}
	for _, usage := range c.ExtKeyUsage {
		if usage == x509.ExtKeyUsageClientAuth || usage == x509.ExtKeyUsageAny {
			return nil
		}
	}
	return decision.Denyf(decision.CertificatePurpose, describe(c), "its extendedKeyUsage lacks clientAuth")
}

// checkSomePurpose is all that is asked where any purpose will do:
// extendedKeyUsage lists at least one (RFC 5280 4.2.1.12).
func checkSomePurpose(c *x509.Certificate) error {
	if extensionOf(c, oidExtKeyUsage) != nil && len(c.ExtKeyUsage)+len(c.UnknownExtKeyUsage) == 0 {
		return decision.Denyf(decision.CertificatePurpose, describe(c), "its extendedKeyUsage lists nothing")
	}
	return nil
}
