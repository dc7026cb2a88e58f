package truststore

import (
	"crypto/x509"
	"encoding/asn1"
	"slices"
)

// The last arcs of id-ce (RFC 5280 4.2.1) of the extensions that are asked for.
const (
	oidKeyUsage    = 15
	oidExtKeyUsage = 37
)

// allows reports whether keyUsage, where present, has the bit. The parsed
// field does not show whether it is present: an extension without a bit is
// none there, and allows nothing.
func allows(c *x509.Certificate, usage x509.KeyUsage) bool {
	return c.KeyUsage&usage != 0 || !hasExtension(c, oidKeyUsage)
}

func hasExtension(c *x509.Certificate, arc int) bool {
	id := asn1.ObjectIdentifier{2, 5, 29, arc}
	for _, extension := range c.Extensions {
		if slices.Equal(extension.Id, id) {
			return true
		}
	}
	return false
}
