package truststore

import (
	"bytes"
	"encoding/asn1"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxNameBytes bounds a distinguished name, written or encoded.
const maxNameBytes = 8 << 10

// attribute is one AttributeTypeAndValue. A value that is a character string
// is held as its UTF-8 text, so that PrintableString and UTF8String of one
// text are one value; any other is held as its DER bytes.
type attribute struct {
	kind  string // the attribute type as a dotted OID
	text  bool
	value string
}

// name is a distinguished name: RDNs in the order of the encoding, attributes
// of one RDN sorted, since those are a set.
type name [][]attribute

// canonical returns bytes that two names share exactly if they are equal:
// same RDNs in the same order, each with the same attributes, values compared
// to the letter.
func (n name) canonical() []byte {
	var out []byte
	out = binary.AppendUvarint(out, uint64(len(n)))
	for _, rdn := range n {
		out = binary.AppendUvarint(out, uint64(len(rdn)))
		for _, a := range rdn {
			out = appendField(out, a.kind)
			if a.text {
				out = append(out, 't')
			} else {
				out = append(out, 'b')
			}
			out = appendField(out, a.value)
		}
	}
	return out
}

func appendField(out []byte, field string) []byte {
	out = binary.AppendUvarint(out, uint64(len(field)))
	return append(out, field...)
}

func sortRDN(rdn []attribute) {
	slices.SortFunc(rdn, func(a, b attribute) int {
		if order := strings.Compare(a.kind, b.kind); order != 0 {
			return order
		}
		return strings.Compare(a.value, b.value)
	})
}

// attributeType knows the short names of RFC 4514 section 3, those that OpenSSL
// prints besides, and nothing else: any other type is written as its OID.
func attributeType(written string) (oid string, known bool) {
	switch strings.ToUpper(written) {
	case "CN":
		return "2.5.4.3", true
	case "SN":
		return "2.5.4.4", true
	case "SERIALNUMBER":
		return "2.5.4.5", true
	case "C":
		return "2.5.4.6", true
	case "L":
		return "2.5.4.7", true
	case "ST":
		return "2.5.4.8", true
	case "STREET":
		return "2.5.4.9", true
	case "O":
		return "2.5.4.10", true
	case "OU":
		return "2.5.4.11", true
	case "TITLE":
		return "2.5.4.12", true
	case "DESCRIPTION":
		return "2.5.4.13", true
	case "BUSINESSCATEGORY":
		return "2.5.4.15", true
	case "POSTALCODE":
		return "2.5.4.17", true
	case "NAME":
		return "2.5.4.41", true
	case "GN", "GIVENNAME":
		return "2.5.4.42", true
	case "INITIALS":
		return "2.5.4.43", true
	case "GENERATIONQUALIFIER":
		return "2.5.4.44", true
	case "DNQUALIFIER":
		return "2.5.4.46", true
	case "PSEUDONYM":
		return "2.5.4.65", true
	case "ORGANIZATIONIDENTIFIER":
		return "2.5.4.97", true
	case "UID":
		return "0.9.2342.19200300.100.1.1", true
	case "DC":
		return "0.9.2342.19200300.100.1.25", true
	case "EMAILADDRESS", "E":
		return "1.2.840.113549.1.9.1", true
	case "JURISDICTIONL":
		return "1.3.6.1.4.1.311.60.2.1.1", true
	case "JURISDICTIONST":
		return "1.3.6.1.4.1.311.60.2.1.2", true
	case "JURISDICTIONC":
		return "1.3.6.1.4.1.311.60.2.1.3", true
	}
	return written, isOID(written)
}

func isOID(text string) bool {
	arcs := strings.Split(text, ".")
	if len(arcs) < 2 || len(arcs) > 32 {
		return false
	}
	for _, arc := range arcs {
		if arc == "" || len(arc) > 10 || arc != "0" && arc[0] == '0' || strings.Trim(arc, "0123456789") != "" {
			return false
		}
	}
	return true
}

type derAttribute struct {
	Type  asn1.ObjectIdentifier
	Value asn1.RawValue
}

type derRDNSET []derAttribute

// nameOf reads an encoded name, such as a certificate's RawSubject.
func nameOf(der []byte) (name, error) {
	if len(der) > maxNameBytes {
		return nil, fmt.Errorf("the name has %d bytes, more than %d", len(der), maxNameBytes)
	}
	var rdns []derRDNSET
	rest, err := asn1.Unmarshal(der, &rdns)
	if err != nil {
		return nil, err
	}
	if len(rest) != 0 {
		return nil, errors.New("bytes after the name")
	}
	out := make(name, len(rdns))
	for i, rdn := range rdns {
		for _, a := range rdn {
			value, text := textOf(a.Value)
			out[i] = append(out[i], attribute{kind: a.Type.String(), text: text, value: value})
		}
		sortRDN(out[i])
	}
	return out, nil
}

// textOf decodes the character string types of X.520 DirectoryString and
// IA5String. T61String and malformed text stay bytes: there is no one reading
// of them.
func textOf(v asn1.RawValue) (value string, text bool) {
	if v.Class == asn1.ClassUniversal && !v.IsCompound {
		switch v.Tag {
		case asn1.TagUTF8String, asn1.TagPrintableString, asn1.TagIA5String, asn1.TagNumericString:
			if utf8.Valid(v.Bytes) {
				return string(v.Bytes), true
			}
		case asn1.TagBMPString:
			if decoded, ok := decodeUTF16(v.Bytes); ok {
				return decoded, true
			}
		}
	}
	return string(v.FullBytes), false
}

func decodeUTF16(b []byte) (string, bool) {
	if len(b)%2 != 0 {
		return "", false
	}
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = binary.BigEndian.Uint16(b[2*i:])
	}
	decoded := string(utf16.Decode(units))
	return decoded, !strings.ContainsRune(decoded, utf8.RuneError)
}

// parseName reads the string form of RFC 4514, whose RDNs stand in reverse
// order of the encoding. White space around separators is let pass, as
// OpenSSL and people write it (RFC 2253 section 4).
func parseName(written string) (name, error) {
	if len(written) > maxNameBytes {
		return nil, fmt.Errorf("the name has %d bytes, more than %d", len(written), maxNameBytes)
	}
	if !utf8.ValidString(written) {
		return nil, errors.New("the name is not UTF-8")
	}
	if strings.HasPrefix(written, "/") {
		return nil, errors.New(`the name begins with "/": write it as RFC 4514 does, for instance CN=client,O=Example`)
	}
	// A line end is the editor's; spaces are the parser's, for the last one may
	// be escaped.
	text := strings.TrimRight(written, "\r\n")
	p := nameParser{rest: strings.TrimLeft(text, " ")}
	out, err := p.name()
	if err != nil {
		return nil, fmt.Errorf("at byte %d: %w", len(text)-len(p.rest), err)
	}
	slices.Reverse(out)
	return out, nil
}

type nameParser struct{ rest string }

func (p *nameParser) name() (name, error) {
	var out name
	for {
		rdn, err := p.rdn()
		if err != nil {
			return nil, err
		}
		out = append(out, rdn)
		if p.rest == "" {
			return out, nil
		}
		p.rest = p.rest[1:] // the comma at which rdn stopped
	}
}

func (p *nameParser) rdn() ([]attribute, error) {
	var rdn []attribute
	for {
		a, err := p.attribute()
		if err != nil {
			return nil, err
		}
		rdn = append(rdn, a)
		if p.rest == "" || p.rest[0] == ',' {
			sortRDN(rdn)
			return rdn, nil
		}
		p.rest = p.rest[1:] // the plus sign
	}
}

func (p *nameParser) attribute() (attribute, error) {
	written, rest, found := strings.Cut(p.rest, "=")
	written = strings.Trim(written, " ")
	if !found || written == "" {
		return attribute{}, errors.New("an attribute is written type=value")
	}
	oid, known := attributeType(written)
	if !known {
		return attribute{}, errors.New("the attribute type is not known: write its OID")
	}
	p.rest = strings.TrimLeft(rest, " ")
	a := attribute{kind: oid, text: true}
	var err error
	if strings.HasPrefix(p.rest, "#") {
		a.value, a.text, err = p.hexValue()
	} else {
		a.value, err = p.textValue()
	}
	return a, err
}

// hexValue reads "#" and the value's BER in hexadecimal.
func (p *nameParser) hexValue() (value string, text bool, err error) {
	end := strings.IndexAny(p.rest, ",+")
	if end < 0 {
		end = len(p.rest)
	}
	encoded, err := hex.DecodeString(strings.TrimRight(p.rest[1:end], " "))
	if err != nil {
		return "", false, errors.New("a value that begins with # is written in hexadecimal")
	}
	var raw asn1.RawValue
	rest, err := asn1.Unmarshal(encoded, &raw)
	if err != nil || len(rest) != 0 {
		return "", false, errors.New("a value that begins with # is one encoded ASN.1 value")
	}
	p.rest = p.rest[end:]
	value, text = textOf(raw)
	return value, text, nil
}

// textValue reads to the next unescaped separator. Trailing spaces count only
// where they are escaped.
func (p *nameParser) textValue() (string, error) {
	var out bytes.Buffer
	kept := 0
	for p.rest != "" && p.rest[0] != ',' && p.rest[0] != '+' {
		c := p.rest[0]
		switch c {
		case '\\':
			if err := p.escape(&out); err != nil {
				return "", err
			}
			kept = out.Len()
			continue
		case '"', ';', '<', '>', 0:
			return "", fmt.Errorf("%q is to be escaped with a backslash", c)
		}
		out.WriteByte(c)
		if c != ' ' {
			kept = out.Len()
		}
		p.rest = p.rest[1:]
	}
	out.Truncate(kept)
	if !utf8.Valid(out.Bytes()) {
		return "", errors.New("the escaped bytes are not UTF-8")
	}
	return out.String(), nil
}

// escape reads a backslash with a special character or two hexadecimal digits.
func (p *nameParser) escape(out *bytes.Buffer) error {
	if len(p.rest) >= 2 && strings.IndexByte(` "#+,;<=>\`, p.rest[1]) >= 0 {
		out.WriteByte(p.rest[1])
		p.rest = p.rest[2:]
		return nil
	}
	if len(p.rest) >= 3 {
		if b, err := hex.DecodeString(p.rest[1:3]); err == nil {
			out.Write(b)
			p.rest = p.rest[3:]
			return nil
		}
	}
	return errors.New("a backslash stands before a special character or two hexadecimal digits")
}
