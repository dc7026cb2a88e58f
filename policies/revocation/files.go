package revocation

import (
	"crypto/sha256"
	"encoding/asn1"
	"encoding/hex"
	"math/big"
	"strings"
)

// The name of a file says what is in it: whose source it is of, what it has, and the CA.
// By the CA it is found when no document names its location any more.
//
//	4a0c….revoked-0a1b2c.93bf02d15ea7c604.der
const (
	markList    = "list"    // with entries
	markRevoked = "revoked" // the serial number
	markOther   = "other"
)

// file names that of one kind.
func (k known) file(prefix string) string {
	kind := k.kind()
	mark, of := markOther, hex.EncodeToString(kind[:4])
	switch {
	case k.crl != nil && k.revokes():
		mark = markList
	case k.revokes():
		mark, of = markRevoked, hex.EncodeToString([]byte(k.answer.about.serial))
	}
	return prefix + "." + mark + "-" + of + "." + k.caFile() + fileSuffix
}

// caFile is the part of the name for the CA.
func (k known) caFile() string {
	if k.crl != nil {
		return caFile(caIDOf(k.crl.signature.key(), k.crl.name))
	}
	return caFile(caIDOf(k.answer.about.key, k.answer.name))
}

func caFile(ca [sha256.Size]byte) string { return hex.EncodeToString(ca[:8]) }

// fileName is a name that was taken apart.
type fileName struct{ source, mark, of, ca string }

func splitFile(name string) (fileName, bool) {
	parts := strings.Split(strings.TrimSuffix(name, fileSuffix), ".")
	if len(parts) != 3 || !strings.HasSuffix(name, fileSuffix) {
		return fileName{}, false
	}
	mark, of, _ := strings.Cut(parts[1], "-")
	return fileName{parts[0], mark, of, parts[2]}, true
}

// serial is the number that the name has.
func (n fileName) serial() *big.Int {
	content, err := hex.DecodeString(n.of)
	if err != nil || len(content) == 0 || len(content) > maxSerialBytes {
		return nil
	}
	serial := new(big.Int)
	if rest, err := asn1.Unmarshal(append([]byte{2, byte(len(content))}, content...), &serial); err != nil || len(rest) > 0 {
		return nil
	}
	return serial
}
