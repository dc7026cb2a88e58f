package peercert

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
)

// The tags of dNSName and uniformResourceIdentifier in a GeneralName (RFC 5280
// section 4.2.1.6), the two that Envoy writes out.
const (
	tagDNS = 2
	tagURI = 6
)

// dividing is the least set of bytes that can make a name written plainly end
// early or swallow what follows it: "," ends the element, ";" ends the pair,
// and a quote at its beginning opens a quoted value that runs on into the next
// element. Without one of these "=" and "\" are part of the value: a pair is
// divided at its first "=", which Envoy wrote, and a backslash means something
// only between quotes. An honest https://x/?a=b therefore passes.
const dividing = `,;"`

// dividingName returns the first URI or DNS name that holds a dividing byte.
// It reads the bytes of the extension, as Envoy does: the URIs that crypto/x509
// has parsed are spelled anew when they are written. A certificate has at most
// one such extension, or it would not have parsed; one that is no list of names
// would not have either.
func dividingName(certificate *x509.Certificate) (name []byte, found bool) {
	for _, extension := range certificate.Extensions {
		if !extension.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 17}) {
			continue
		}
		var names []asn1.RawValue
		if _, err := asn1.Unmarshal(extension.Value, &names); err != nil {
			return extension.Value, true
		}
		for _, n := range names {
			written := n.Class == asn1.ClassContextSpecific && (n.Tag == tagDNS || n.Tag == tagURI)
			if written && bytes.ContainsAny(n.Bytes, dividing) {
				return n.Bytes, true
			}
		}
	}
	return nil, false
}
