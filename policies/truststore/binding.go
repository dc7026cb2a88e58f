package truststore

import (
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/certbearer/certbearer/policies/decision"
)

// BindingKind is one of the five client metadata parameters of RFC 8705 2.1.2, or
// one of the two ways to name SPIFFE workloads.
type BindingKind uint8

// The kinds. NoBinding is the zero value.
const (
	NoBinding BindingKind = iota
	SubjectDN
	SANDNS
	SANURI
	SANIP
	SANEmail
	SPIFFEID          // one workload
	SPIFFETrustDomain // every workload of a trust domain
)

// IsSPIFFE reports whether the kind asks for an X509-SVID.
func (k BindingKind) IsSPIFFE() bool { return k == SPIFFEID || k == SPIFFETrustDomain }

// String returns the field of tlsClientAuth that holds the parameter, and for SPIFFE
// spiffe.id and spiffe.trustDomain.
func (k BindingKind) String() string {
	switch k {
	case SubjectDN:
		return "subjectDn"
	case SANDNS:
		return "sanDns"
	case SANURI:
		return "sanUri"
	case SANIP:
		return "sanIp"
	case SANEmail:
		return "sanEmail"
	case SPIFFEID:
		return "spiffe.id"
	case SPIFFETrustDomain:
		return "spiffe.trustDomain"
	}
	return "none"
}

// BindingKey is a subject in a form that can be compared and looked up: two
// are equal exactly if kind and value are.
type BindingKey [sha256.Size]byte

// Binding is the one subject that a client's certificates must have. The zero
// value binds nothing.
type Binding struct {
	Kind BindingKind
	Text string // as the operator wrote it
	key  BindingKey
}

// ParseBinding reads the value of a field of tlsClientAuth or of spiffe.
//
//   - subjectDn: an RFC 4514 string; compared name by name, values to the
//     letter, whatever string type the certificate uses.
//   - sanDns: a host name, compared without regard to ASCII case; a wildcard
//     is refused, for it would match itself only.
//   - sanUri: compared to the letter.
//   - sanIp: compared as address bytes.
//   - sanEmail: the domain without regard to ASCII case, the rest to the letter.
//   - spiffe.id: a SPIFFE ID with a path, compared to the letter; see [SVID].
//   - spiffe.trustDomain: the name of a trust domain, compared to the letter.
//
// The error never quotes the text: it may be a secret in the wrong field.
func ParseBinding(kind BindingKind, text string) (Binding, error) {
	value, err := bindingValue(kind, text)
	if err != nil {
		return Binding{}, fmt.Errorf("%s: %w", kind, err)
	}
	return Binding{Kind: kind, Text: text, key: bindingKey(kind, value)}, nil
}

func bindingValue(kind BindingKind, text string) ([]byte, error) {
	switch {
	case text == "":
		return nil, errors.New("is empty")
	case len(text) > maxNameBytes:
		return nil, fmt.Errorf("has more than %d bytes", maxNameBytes)
	}
	switch kind {
	case SubjectDN:
		parsed, err := parseName(text)
		if err != nil {
			return nil, err
		}
		return parsed.canonical(), nil
	case SANDNS:
		if strings.Contains(text, "*") {
			return nil, errors.New("has a wildcard, which no binding expands")
		}
		return canonicalAltName(tagDNS, []byte(text)), nil
	case SANURI:
		if !strings.Contains(text, ":") {
			return nil, errors.New("is no URI")
		}
		return canonicalAltName(tagURI, []byte(text)), nil
	case SANIP:
		address, err := netip.ParseAddr(text)
		if err != nil || address.Zone() != "" {
			return nil, errors.New("is no IP address")
		}
		return address.AsSlice(), nil
	case SANEmail:
		if strings.Count(text, "@") != 1 {
			return nil, errors.New("is no address of the form local@domain")
		}
		return canonicalAltName(tagEmail, []byte(text)), nil
	case SPIFFEID:
		id, err := workloadID(text)
		return []byte(id.String()), err
	case SPIFFETrustDomain:
		domain, err := trustDomainNamed(text)
		return []byte(domain.Name()), err
	}
	return nil, fmt.Errorf("kind %d is none of RFC 8705", kind)
}

func canonicalAltName(tag int, value []byte) []byte {
	text := string(value)
	switch tag {
	case tagDNS:
		return []byte(lowerASCII(text))
	case tagEmail:
		if at := strings.LastIndexByte(text, '@'); at >= 0 {
			return []byte(text[:at] + lowerASCII(text[at:]))
		}
	}
	return value
}

// lowerASCII leaves all but A to Z alone: Unicode folding would make names
// equal that DNS and RFC 5280 7.2 keep apart.
func lowerASCII(text string) string {
	out := []byte(text)
	for i, c := range out {
		if 'A' <= c && c <= 'Z' {
			out[i] = c + 'a' - 'A'
		}
	}
	return string(out)
}

func bindingKey(kind BindingKind, value []byte) BindingKey {
	return sha256.Sum256(append([]byte{byte(kind)}, value...))
}

// IsZero reports whether nothing is bound.
func (b Binding) IsZero() bool { return b.Kind == NoBinding }

// Key returns the subject for look-ups.
func (b Binding) Key() BindingKey { return b.key }

// Check refuses, with SubjectMismatch, a certificate that is not the bound
// subject. A zero Binding accepts every certificate.
func (b Binding) Check(leaf *x509.Certificate) error {
	if b.IsZero() {
		return nil
	}
	if b.Kind.IsSPIFFE() {
		return b.checkSVID(leaf)
	}
	keys, err := BindingKeys(leaf)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if key == b.key {
			return nil
		}
	}
	return decision.Denyf(decision.SubjectMismatch, describe(leaf), "it does not have %s %q", b.Kind, b.Text)
}

// BindingKeys returns every subject that the certificate has: its subject name,
// each of its alternative names of the four kinds and, if it is an X509-SVID, its
// SPIFFE ID and its trust domain.
func BindingKeys(leaf *x509.Certificate) ([]BindingKey, error) {
	subject, err := nameOf(leaf.RawSubject)
	if err != nil {
		return nil, decision.Deny(decision.CertificateMalformed, describe(leaf)+" subject", err)
	}
	names, err := altNames(leaf)
	if err != nil {
		return nil, decision.Deny(decision.CertificateMalformed, describe(leaf)+" subjectAltName", err)
	}
	keys := []BindingKey{bindingKey(SubjectDN, subject.canonical())}
	for _, n := range names {
		if kind := kindOfTag(n.tag); kind != NoBinding {
			keys = append(keys, bindingKey(kind, canonicalAltName(n.tag, n.value)))
		}
	}
	if id, err := svid(leaf, names); err == nil {
		keys = append(keys, svidKeys(id)...)
	}
	return keys, nil
}

func kindOfTag(tag int) BindingKind {
	switch tag {
	case tagDNS:
		return SANDNS
	case tagURI:
		return SANURI
	case tagIP:
		return SANIP
	case tagEmail:
		return SANEmail
	}
	return NoBinding
}
