package revocation

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
)

// The last arcs of id-ce (RFC 5280 4.2.1) of extensions of CRLs and entries.
const (
	oidCRLNumber         = 20
	oidReasonCode        = 21
	oidInvalidityDate    = 24
	oidDeltaCRLIndicator = 27
	oidDistributionPoint = 28
	oidCertificateIssuer = 29
)

// oidCAVersion is of the lists of Microsoft's CAs (szOID_CERTSRV_CA_VERSION), which
// number their keys by it and write a list for each.
var oidCAVersion = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 21, 1}

// arcOf returns the last arc of an id-ce, -1 for another object.
func arcOf(id asn1.ObjectIdentifier) int {
	if len(id) == 4 && slices.Equal(id[:3], asn1.ObjectIdentifier{2, 5, 29}) {
		return id[3]
	}
	return -1
}

// readExtensions judges the extensions of the list. An unknown one that is
// critical may change what the entries mean (RFC 5280 5.2): then nothing of the
// list counts.
func (c *CRL) readExtensions(extensions []pkix.Extension) error {
	if len(extensions) > maxExtensions {
		return fmt.Errorf("the CRL has more than %d extensions", maxExtensions)
	}
	for i, extension := range extensions {
		if slices.ContainsFunc(extensions[:i], func(other pkix.Extension) bool { return other.Id.Equal(extension.Id) }) {
			return fmt.Errorf("the CRL has extension %s twice", extension.Id)
		}
		c.oneKey = c.oneKey || extension.Id.Equal(oidCAVersion)
		switch arcOf(extension.Id) {
		case oidCRLNumber:
			if extension.Critical {
				return errors.New("cRLNumber is critical, which RFC 5280 5.2.3 forbids")
			}
		case oidDeltaCRLIndicator:
			c.Delta = true
		case oidDistributionPoint:
			read, err := parseScope(extension.Value, c.rawIssuer)
			if err != nil {
				return fmt.Errorf("the issuingDistributionPoint of the CRL: %w", err)
			}
			c.scope = read
		default:
			if extension.Critical {
				return fmt.Errorf("the CRL has extension %s, which is critical and unknown", extension.Id)
			}
		}
	}
	if c.Number == nil {
		return errNoNumber
	}
	return nil
}

func isKeyUsage(extension pkix.Extension) bool { return arcOf(extension.Id) == 15 }
