package testca

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"net"
)

// The tags of GeneralName (RFC 5280 section 4.2.1.6).
const (
	tagEmail = 1
	tagDNS   = 2
	tagURI   = 6
	tagIP    = 7
)

func oidSubjectAltName() asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{2, 5, 29, 17}
}

// subjectAltName writes the names as they are: crypto/x509 takes only URIs
// that net/url has parsed and writes them anew.
func (t Template) subjectAltName() (pkix.Extension, error) {
	var names []asn1.RawValue
	names = appendNames(names, tagDNS, t.DNSNames)
	names = appendNames(names, tagEmail, t.Emails)
	for _, ip := range t.IPs {
		octets, err := ipOctets(ip)
		if err != nil {
			return pkix.Extension{}, err
		}
		names = append(names, generalName(tagIP, octets))
	}
	names = appendNames(names, tagURI, t.URIs)
	value, err := asn1.Marshal(names)
	if err != nil {
		return pkix.Extension{}, err
	}
	// Critical where the subject is empty: RFC 5280 section 4.1.2.6.
	critical := t.CommonName == "" && t.Organization == ""
	return pkix.Extension{Id: oidSubjectAltName(), Critical: critical, Value: value}, nil
}

func appendNames(names []asn1.RawValue, tag int, values []string) []asn1.RawValue {
	for _, v := range values {
		names = append(names, generalName(tag, []byte(v)))
	}
	return names
}

func generalName(tag int, octets []byte) asn1.RawValue {
	return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tag, Bytes: octets}
}

func ipOctets(ip net.IP) ([]byte, error) {
	if v4 := ip.To4(); v4 != nil {
		return v4, nil
	}
	if v6 := ip.To16(); v6 != nil {
		return v6, nil
	}
	return nil, fmt.Errorf("an IP address of %d octets", len(ip))
}
