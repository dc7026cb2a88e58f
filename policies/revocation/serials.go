package revocation

import (
	"bytes"
	"cmp"
	"encoding/asn1"
	"encoding/binary"
	"math/big"
	"slices"
	"sort"
	"time"
)

// trailer is what follows the serial number in a record: the time of the
// revocation, in seconds of the Unix epoch, and the reason.
const trailer = 4 + 1

// serials is a set of revoked serial numbers, exact and compact: one byte slice
// for each length of a number, of sorted records. A pointer an entry, as
// crypto/x509 keeps them, costs ten times as much.
type serials map[int]*records

type records struct {
	width int
	text  []byte
}

func (r *records) count() int      { return len(r.text) / r.width }
func (r *records) at(i int) []byte { return r.text[i*r.width : (i+1)*r.width] }

// place is where a record stands, with the first bytes of its number to sort by.
type place struct {
	prefix uint64
	at     int32
}

func (r *records) compare(a, b place) int {
	if a.prefix != b.prefix {
		return cmp.Compare(a.prefix, b.prefix)
	}
	return bytes.Compare(r.at(int(a.at)), r.at(int(b.at)))
}

// sorted returns the records in order, in no more room than they need.
func (r *records) sorted() []byte {
	places := make([]place, r.count())
	for i := range places {
		var first [8]byte
		copy(first[:], r.at(i))
		places[i] = place{binary.BigEndian.Uint64(first[:]), int32(i)}
	}
	if !slices.IsSortedFunc(places, r.compare) {
		slices.SortFunc(places, r.compare)
	}
	text := make([]byte, 0, len(r.text))
	for _, p := range places {
		text = append(text, r.at(int(p.at))...)
	}
	return text
}

// entry is one revocation.
type entry struct {
	serial []byte // the content of the INTEGER
	since  time.Time
	reason uint8  // CRLReason (RFC 5280 5.3.1)
	issuer []byte // of the entry, as it names it: GeneralNames, without tag and length
}

func (s serials) add(e entry) {
	group := s[len(e.serial)]
	if group == nil {
		group = &records{width: len(e.serial) + trailer}
		s[len(e.serial)] = group
	}
	group.text = append(group.text, e.serial...)
	group.text = binary.BigEndian.AppendUint32(group.text, uint32(min(max(e.since.Unix(), 0), 1<<32-1)))
	group.text = append(group.text, e.reason)
}

// seal sorts what was added and gives back the room to grow.
func (s serials) seal() {
	for _, group := range s {
		group.text = group.sorted()
	}
}

func (s serials) find(serial []byte) (entry, bool) {
	group := s[len(serial)]
	if group == nil {
		return entry{}, false
	}
	i := sort.Search(group.count(), func(i int) bool { return bytes.Compare(group.at(i)[:len(serial)], serial) >= 0 })
	if i == group.count() || !bytes.Equal(group.at(i)[:len(serial)], serial) {
		return entry{}, false
	}
	found := group.at(i)[len(serial):]
	return entry{serial: serial, since: time.Unix(int64(binary.BigEndian.Uint32(found)), 0).UTC(), reason: found[4]}, true
}

func (s serials) count() int {
	count := 0
	for _, group := range s {
		count += group.count()
	}
	return count
}

// serialContent returns a serial number as it stands in DER, without tag and
// length; nil if it is longer than any that a list may hold.
func serialContent(serial *big.Int) []byte {
	if serial.BitLen() >= 8*maxSerialBytes {
		return nil
	}
	if serial.Sign() > 0 { // nearly always
		content := make([]byte, serial.BitLen()/8+1)
		return serial.FillBytes(content)
	}
	der, err := asn1.Marshal(serial)
	if err != nil {
		return nil
	}
	return der[2:]
}

// reasonText names a CRLReason.
func reasonText(reason uint8) string {
	texts := [...]string{"unspecified", "keyCompromise", "cACompromise", "affiliationChanged", "superseded",
		"cessationOfOperation", "certificateHold", "7", "removeFromCRL", "privilegeWithdrawn", "aACompromise"}
	if int(reason) < len(texts) {
		return texts[reason]
	}
	return "of an unknown kind"
}
