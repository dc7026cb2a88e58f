package truststore

import (
	"crypto/x509"
	"math/big"
	"net/netip"
)

// NameOf returns what tells a certificate from others, for a person: its subject;
// where that is empty, as in most X509-SVIDs, its [AltNameOf]; and its serial number
// where it has neither, for a hash would cost a search for a path more than its
// signatures. It has some 200 bytes at most, is never empty, and is what somebody
// else wrote: quote it.
func NameOf(c *x509.Certificate) string {
	if subject := shownSubject(c); subject != "" {
		return subject
	}
	if name := AltNameOf(c); name != "" {
		return name
	}
	return "serial:" + shownSerial(c.SerialNumber)
}

// maxSerialBits are those of a serial number that is as long as one may be (RFC 5280
// 4.1.2.2).
const maxSerialBits = 20 * 8

// shownSerial writes the first digits of a number that is longer: it may have as many
// as the certificate has bytes.
func shownSerial(serial *big.Int) string {
	if beyond := serial.BitLen() - maxSerialBits; beyond > 0 {
		return new(big.Int).Rsh(serial, uint(beyond)).Text(16) + "…"
	}
	return serial.Text(16)
}

// AltNameOf returns the alternative name that stands for the subject of a certificate
// without one: the first URI, else the first DNS name, mailbox or address, with its
// kind before it as OpenSSL writes it, such as "URI:spiffe://td.example/lab". No
// subject begins so. It is "" if there is no such name, or a subject. It is bounded
// and to be quoted as NameOf is.
func AltNameOf(c *x509.Certificate) string {
	if hasSubject(c) {
		return ""
	}
	extension := extensionOf(c, oidSubjectAltName)
	if extension == nil {
		return ""
	}
	rest, _ := only(extension.Value, derSequence)
	name, rank := "", len(shownKinds)
	for range maxAltNames { // of more, the certificate is refused
		var tag byte
		var value []byte
		var ok bool
		if tag, value, rest, ok = element(rest); !ok {
			break
		}
		for i, kind := range shownKinds[:rank] {
			if tag == kind.tag && len(value) > 0 {
				name, rank = kind.prefix+kind.text(value), i
			}
		}
	}
	return bounded(name)
}

// shownKinds are the alternative names that AltNameOf looks for, those that say most
// first, by their identifier octet: context-specific and primitive.
var shownKinds = [...]struct {
	tag    byte
	prefix string
	text   func([]byte) string
}{
	{0x80 | tagURI, "URI:", shownText},
	{0x80 | tagDNS, "DNS:", shownText},
	{0x80 | tagEmail, "email:", shownText},
	{0x80 | tagIP, "IP:", shownAddress},
}

// shownText copies no more than is shown.
func shownText(value []byte) string { return string(value[:min(len(value), maxShownBytes+1)]) }

func shownAddress(value []byte) string {
	address, _ := netip.AddrFromSlice(value)
	return address.String()
}
