package revocation_test

import (
	"bytes"
	"encoding/asn1"
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/certbearer/certbearer/policies/revocation"
)

// A list is read entry by entry, some microseconds each: one of as many entries as a
// location may care to send would take minutes.
func TestAListIsRefusedByItsSizeBeforeAnyEntryIsRead(t *testing.T) {
	const size = 64 << 20
	ca := newCA(t, "CA")
	entry := tlv(0x30, tlv(2, []byte{1}), tlv(0x17, []byte("260101000000Z")))
	algorithm := tlv(0x30, marshal(t, asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}))
	der := large(0x30, large(0x30,
		tlv(2, []byte{1}), algorithm, ca.Certificate.RawSubject,
		tlv(0x17, []byte("260101000000Z")), tlv(0x17, []byte("270101000000Z")),
		large(0x30, bytes.Repeat(entry, size/len(entry))),
		tlv(0xa0, tlv(0x30, tlv(0x30, marshal(t, asn1.ObjectIdentifier(ce(20))), tlv(4, []byte{2, 1, 1})))),
	), algorithm, tlv(3, []byte{0, 1}))
	if _, err := revocation.ParseCRL(der); err == nil || !strings.Contains(err.Error(), "bytes, more than") {
		t.Errorf("a list of %d bytes: %v", len(der), err)
	}
}

// large is tlv for content of 16 to 256 MiB.
func large(tag byte, content ...[]byte) []byte {
	length := 0
	for _, c := range content {
		length += len(c)
	}
	head := binary.BigEndian.AppendUint32([]byte{tag, 0x84}, uint32(length))
	return slices.Concat(append([][]byte{head}, content...)...)
}
