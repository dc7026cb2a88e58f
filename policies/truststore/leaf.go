package truststore

import (
	"crypto/x509"
	"time"

	"github.com/certbearer/certbearer/policies/decision"
)

// CheckLeaf judges what a certificate says of itself, whoever vouches for it:
// validity at the time, key, signature algorithm, purposes and critical
// extensions. Pinned certificates are held to it as well.
func CheckLeaf(leaf *x509.Certificate, at time.Time) error {
	return Terms{At: at}.CheckLeaf(leaf)
}

func checkValidity(leaf *x509.Certificate, at time.Time) error {
	if at.After(leaf.NotAfter) {
		return decision.Denyf(decision.CertificateExpired, describe(leaf), "its validity ended at %s", leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	if at.Before(leaf.NotBefore) {
		return decision.Denyf(decision.CertificateNotYetValid, describe(leaf), "its validity begins at %s", leaf.NotBefore.UTC().Format(time.RFC3339))
	}
	return nil
}

func checkCritical(leaf *x509.Certificate) error {
	if len(leaf.UnhandledCriticalExtensions) == 0 {
		return nil
	}
	return decision.Denyf(decision.CriticalExtensionUnknown, describe(leaf), "extension %s is critical and unknown", leaf.UnhandledCriticalExtensions[0])
}

// checkPurpose asks for TLS client authentication: extendedKeyUsage, where
// present, has clientAuth or anyExtendedKeyUsage (RFC 5280 4.2.1.12), and
// keyUsage, where present, has digitalSignature, which the handshake makes
// (4.2.1.3). The certificates of the seed have neither.
func checkPurpose(leaf *x509.Certificate) error {
	if !allows(leaf, x509.KeyUsageDigitalSignature) {
		return decision.Denyf(decision.CertificatePurpose, describe(leaf), "its keyUsage lacks digitalSignature")
	}
	if !hasExtension(leaf, oidExtKeyUsage) {
		return nil
	}
	for _, usage := range leaf.ExtKeyUsage {
		if usage == x509.ExtKeyUsageClientAuth || usage == x509.ExtKeyUsageAny {
			return nil
		}
	}
	return decision.Denyf(decision.CertificatePurpose, describe(leaf), "its extendedKeyUsage lacks clientAuth")
}
