package revocation

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
	tags "golang.org/x/crypto/cryptobyte/asn1"
)

const (
	reasonRemoveFromCRL = 8
	maxReason           = 10 // aACompromise
)

var errEntry = errors.New("it is no revokedCertificate")

// readEntries walks revokedCertificates (RFC 5280 5.1.2.6).
func (c *CRL) readEntries(list cryptobyte.String) error {
	foreign, others := false, foreigners{own: comparableName(directoryName(c.rawIssuer))}
	for n := 1; !list.Empty(); n++ {
		if n > MaxCRLEntries {
			return fmt.Errorf("the CRL has more than %d entries", MaxCRLEntries)
		}
		var inner cryptobyte.String
		if !list.ReadASN1(&inner, tags.SEQUENCE) {
			return fmt.Errorf("entry %d of the CRL: %w", n, errEntry)
		}
		read, err := c.readEntry(inner)
		if err != nil {
			return fmt.Errorf("entry %d of the CRL: %w", n, err)
		}
		// In a delta, removeFromCRL takes back an entry of the full list, which is
		// the full list's to do: what a delta removes stays revoked until then.
		// An entry of an indirect list that names no issuer is of the one before it,
		// and the first of the list's own (RFC 5280 5.3.3). Others are not followed.
		if read.issuer != nil {
			if foreign, err = others.has(read.issuer); err != nil {
				return fmt.Errorf("entry %d of the CRL: its certificateIssuer: %w", n, err)
			}
		}
		if read.reason != reasonRemoveFromCRL && !foreign {
			c.entries.add(read)
		}
	}
	c.entries.seal()
	return nil
}

// foreigners tells the issuers of an indirect list's entries from its own. Each
// spelling of a name is read once.
type foreigners struct {
	own   string
	known map[string]bool
}

func (f *foreigners) has(names cryptobyte.String) (bool, error) {
	if foreign, found := f.known[string(names)]; found {
		return foreign, nil
	}
	if len(f.known) == maxForeigners || len(names) > maxIssuerBytes {
		return false, fmt.Errorf("the list has entries of more than %d issuers, or a name of more than %d bytes", maxForeigners, maxIssuerBytes)
	}
	read, err := generalNames(names)
	if err != nil {
		return false, err
	}
	if f.known == nil {
		f.known = make(map[string]bool)
	}
	foreign := !slices.ContainsFunc(read, func(name []byte) bool { return comparableName(name) == f.own })
	f.known[string(names)] = foreign
	return foreign, nil
}

func (c *CRL) readEntry(inner cryptobyte.String) (entry, error) {
	var e entry
	var serial cryptobyte.String
	if !inner.ReadASN1(&serial, tags.INTEGER) || !minimalInteger(serial) {
		return e, errors.New("its serial number cannot be read")
	}
	if len(serial) > maxSerialBytes {
		return e, fmt.Errorf("its serial number has more than %d bytes", maxSerialBytes)
	}
	e.serial = serial
	var ok bool
	if e.since, ok = readTime(&inner); !ok {
		return e, errors.New("its revocationDate cannot be read")
	}
	if inner.Empty() {
		return e, nil
	}
	var extensions cryptobyte.String
	if !inner.ReadASN1(&extensions, tags.SEQUENCE) || !inner.Empty() || extensions.Empty() {
		return e, errEntry
	}
	return e, c.readEntryExtensions(extensions, &e)
}

func (c *CRL) readEntryExtensions(extensions cryptobyte.String, e *entry) error {
	seen := uint64(0)
	for n := 0; !extensions.Empty(); n++ {
		if n == maxExtensions {
			return fmt.Errorf("more than %d extensions", maxExtensions)
		}
		arc, critical, value, err := readExtension(&extensions)
		if err != nil {
			return err
		}
		if arc >= 0 && arc < 64 {
			if seen&(1<<arc) != 0 {
				return errors.New("an extension stands twice")
			}
			seen |= 1 << arc
		}
		if err := c.readEntryExtension(arc, critical, value, e); err != nil {
			return err
		}
	}
	return nil
}

func (c *CRL) readEntryExtension(arc int, critical bool, value cryptobyte.String, e *entry) error {
	switch arc {
	case oidReasonCode:
		var reason int
		if !value.ReadASN1Enum(&reason) || !value.Empty() || reason < 0 || reason > maxReason || reason == 7 {
			return errors.New("its reasonCode is none")
		}
		if reason == reasonRemoveFromCRL && !c.Delta {
			return errors.New("removeFromCRL in a list that is no delta")
		}
		e.reason = uint8(reason)
	case oidCertificateIssuer:
		if !c.scope.indirect {
			return errors.New("it names an issuer, and the list does not say that it is indirect")
		}
		var names cryptobyte.String
		if !value.ReadASN1(&names, tags.SEQUENCE) || !value.Empty() || names.Empty() {
			return errors.New("its certificateIssuer cannot be read")
		}
		e.issuer = names
	case oidInvalidityDate:
	default:
		if critical {
			return errors.New("an extension is critical and unknown")
		}
	}
	return nil
}

// readExtension reads an Extension (RFC 5280 4.1). arc is -1 for an object that
// is no id-ce, or one with an arc of more than 7 bits.
func readExtension(from *cryptobyte.String) (arc int, critical bool, value cryptobyte.String, err error) {
	var inner, id cryptobyte.String
	if !from.ReadASN1(&inner, tags.SEQUENCE) || !inner.ReadASN1(&id, tags.OBJECT_IDENTIFIER) || !wellFormed(id) {
		return 0, false, nil, errors.New("an extension cannot be read")
	}
	if inner.PeekASN1Tag(tags.BOOLEAN) && !inner.ReadASN1Boolean(&critical) {
		return 0, false, nil, errors.New("an extension cannot be read")
	}
	if !inner.ReadASN1(&value, tags.OCTET_STRING) || !inner.Empty() {
		return 0, false, nil, errors.New("an extension cannot be read")
	}
	if len(id) == 3 && id[0] == 0x55 && id[1] == 0x1d && id[2] < 0x80 {
		return int(id[2]), critical, value, nil
	}
	return -1, critical, value, nil
}

// wellFormed holds an object identifier to its one encoding in DER, with arcs of 31
// bits, as crypto/x509 reads them: otherwise an extension could be another to it.
func wellFormed(id []byte) bool {
	arc, open := 0, false
	for _, octet := range id {
		if !open && octet == 0x80 || arc >= 1<<24 {
			return false
		}
		if arc, open = arc<<7|int(octet&0x7f), octet >= 0x80; !open {
			arc = 0
		}
	}
	return len(id) > 0 && !open
}

// minimalInteger holds a number to its one encoding in DER: another would be
// another number to a search.
func minimalInteger(content []byte) bool {
	if len(content) < 2 {
		return len(content) == 1
	}
	return !(content[0] == 0 && content[1] < 0x80 || content[0] == 0xff && content[1] >= 0x80)
}

func readTime(from *cryptobyte.String) (time.Time, bool) {
	var read time.Time
	if !from.PeekASN1Tag(tags.UTCTime) {
		return read, from.ReadASN1GeneralizedTime(&read)
	}
	var content cryptobyte.String
	before := *from
	if !from.ReadASN1(&content, tags.UTCTime) {
		return read, false
	}
	if read, ok := utcTime(content); ok {
		return read, true
	}
	*from = before
	return read, from.ReadASN1UTCTime(&read)
}

// utcTime reads YYMMDDhhmmssZ, the only form that RFC 5280 5.1.2.6 has of a UTCTime,
// ten times as fast as the layouts of package time: there may be a million of them.
func utcTime(text []byte) (time.Time, bool) {
	if len(text) != 13 || text[12] != 'Z' {
		return time.Time{}, false
	}
	var n [6]int
	for i := range n {
		tens, ones := text[2*i]-'0', text[2*i+1]-'0'
		if tens > 9 || ones > 9 {
			return time.Time{}, false
		}
		n[i] = 10*int(tens) + int(ones)
	}
	year := 2000 + n[0]
	if year >= 2050 {
		year -= 100
	}
	read := time.Date(year, time.Month(n[1]), n[2], n[3], n[4], n[5], 0, time.UTC)
	// What is out of its range, such as a 30th of February, becomes another date.
	_, month, day := read.Date()
	return read, int(month) == n[1] && day == n[2] && n[3] < 24 && n[4] < 60 && n[5] < 60
}
