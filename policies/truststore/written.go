package truststore

import (
	"crypto/x509"
	"crypto/x509/pkix"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// SubjectOf returns the certificate's subject as subjectDn of tlsClientAuth has it:
// an RFC 4514 string with the attributes in the order of the encoding, last first.
// (*pkix.Name).String puts them into an order of its own, by which nobody is bound.
func SubjectOf(c *x509.Certificate) string { return WriteName(c.RawSubject, c.Subject) }

// IssuerOf returns the name of the certificate's issuer, as SubjectOf does.
func IssuerOf(c *x509.Certificate) string { return WriteName(c.RawIssuer, c.Issuer) }

// WriteName returns a name, in DER and as crypto/x509 has read it, as an RFC 4514
// string. A name that was read from nothing is written as crypto/x509 does.
func WriteName(der []byte, read pkix.Name) string {
	sizes, ok := rdnSizes(der)
	if !ok || total(sizes) != len(read.Names) {
		return read.String()
	}
	names := make([]byte, 0, len(der))
	rest := read.Names
	for i := len(sizes) - 1; i >= 0; i-- {
		begin := len(rest) - sizes[i]
		for at, attribute := range rest[begin:] {
			switch {
			case at > 0:
				names = append(names, '+')
			case len(names) > 0:
				names = append(names, ',')
			}
			names = append(names, writeAttribute(attribute)...)
		}
		rest = rest[:begin]
	}
	return string(names)
}

// rdnSizes returns how many attributes each RDN of a name has.
func rdnSizes(der []byte) (sizes []int, ok bool) {
	input := cryptobyte.String(der)
	var name cryptobyte.String
	if !input.ReadASN1(&name, asn1.SEQUENCE) {
		return nil, false
	}
	for !name.Empty() {
		var rdn cryptobyte.String
		if !name.ReadASN1(&rdn, asn1.SET) {
			return nil, false
		}
		size := 0
		for ; !rdn.Empty(); size++ {
			if !rdn.SkipASN1(asn1.SEQUENCE) {
				return nil, false
			}
		}
		sizes = append(sizes, size)
	}
	return sizes, true
}

func total(sizes []int) int {
	sum := 0
	for _, size := range sizes {
		sum += size
	}
	return sum
}

// writeAttribute writes one attribute. pkix has the short names of most; those that
// OpenSSL prints besides, and subjectDn knows, are text here and not hexadecimal.
func writeAttribute(attribute pkix.AttributeTypeAndValue) string {
	short := ""
	if _, isText := attribute.Value.(string); isText {
		short = shortName(attribute.Type.String())
	}
	if short != "" {
		attribute.Type = []int{2, 5, 4, 3} // pkix escapes the value, and writes CN before it
	}
	text := pkix.RDNSequence{{attribute}}.String()
	if short != "" {
		return short + text[len("CN"):]
	}
	return text
}

func shortName(oid string) string {
	switch oid {
	case "2.5.4.97":
		return "organizationIdentifier"
	case "0.9.2342.19200300.100.1.1":
		return "UID"
	case "0.9.2342.19200300.100.1.25":
		return "DC"
	case "1.2.840.113549.1.9.1":
		return "emailAddress"
	}
	return ""
}
