package truststore

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
)

// maxAltNames bounds the alternative names of a certificate that a decision
// looks at.
const maxAltNames = 256

// The GeneralName choices that a client can be bound to (RFC 5280 4.2.1.6).
const (
	tagEmail = 1
	tagDNS   = 2
	tagURI   = 6
	tagIP    = 7
)

// The others that name constraints are asked about.
const (
	tagOther      = 0
	tagDirectory  = 4
	tagRegistered = 8
)

type altName struct {
	tag   int
	value []byte
}

// altNames returns the subject alternative names as they stand in the
// certificate. The parsed fields of x509.Certificate will not do: a *url.URL
// does not give back the text that it was made of.
func altNames(c *x509.Certificate) ([]altName, error) {
	extension := extensionOf(c, oidSubjectAltName)
	if extension == nil {
		return nil, nil
	}
	var sequence asn1.RawValue
	rest, err := asn1.Unmarshal(extension.Value, &sequence)
	if err != nil {
		return nil, err
	}
	if len(rest) != 0 || sequence.Class != asn1.ClassUniversal || sequence.Tag != asn1.TagSequence || !sequence.IsCompound {
		return nil, errors.New("subjectAltName is no sequence")
	}
	var names []altName
	for rest = sequence.Bytes; len(rest) > 0; {
		var raw asn1.RawValue
		if rest, err = asn1.Unmarshal(rest, &raw); err != nil {
			return nil, err
		}
		if len(names) == maxAltNames {
			return nil, fmt.Errorf("more than %d alternative names", maxAltNames)
		}
		if raw.Class != asn1.ClassContextSpecific || raw.Tag > tagRegistered {
			return nil, errors.New("an alternative name of no kind that there is")
		}
		if !inForm(raw.FullBytes[0]) {
			return nil, errors.New("an alternative name in pieces, or without the parts that it is to have")
		}
		names = append(names, altName{tag: raw.Tag, value: raw.Bytes})
	}
	return names, nil
}
