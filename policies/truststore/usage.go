package truststore

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
)

// The last arcs of id-ce (RFC 5280 4.2.1) of the extensions that are asked for.
const (
	oidSubjectKeyID      = 14
	oidKeyUsage          = 15
	oidSubjectAltName    = 17
	oidBasicConstraints  = 19
	oidNameConstraints   = 30
	oidCRLDistribution   = 31
	oidPolicies          = 32
	oidPolicyMappings    = 33
	oidAuthorityKeyID    = 35
	oidPolicyConstraints = 36
	oidExtKeyUsage       = 37
	oidInhibitAnyPolicy  = 54
)

// allows reports whether keyUsage, where present, has the bit. The parsed
// field does not show whether it is present: an extension without a bit is
// none there, and allows nothing.
func allows(c *x509.Certificate, usage x509.KeyUsage) bool {
	return c.KeyUsage&usage != 0 || extensionOf(c, oidKeyUsage) == nil
}

// extensionOf returns an extension of id-ce, nil if the certificate has none.
// crypto/x509 reads no certificate that has one twice.
func extensionOf(c *x509.Certificate, arc int) *pkix.Extension {
	for i := range c.Extensions {
		if ce(c.Extensions[i].Id) == arc {
			return &c.Extensions[i]
		}
	}
	return nil
}

// ce returns the last arc of an identifier under id-ce, -1 for any other.
func ce(id asn1.ObjectIdentifier) int {
	if len(id) == 4 && slices.Equal(id[:3], asn1.ObjectIdentifier{2, 5, 29}) {
		return id[3]
	}
	return -1
}
