package revocation

import (
	"bytes"
	"crypto/sha256"

	"golang.org/x/crypto/cryptobyte"
	tags "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/certbearer/certbearer/policies/truststore"
)

// nameKey is the same for two names that match by RFC 5280 7.1: a CA may write its
// name in one kind of string on its certificates, and in another on its lists.
type nameKey = [sha256.Size]byte

func sameName(a, b []byte) bool {
	return bytes.Equal(a, b) || truststore.NameKey(a) == truststore.NameKey(b)
}

// directoryTag is that of a GeneralName that is a directoryName.
const directoryTag = 0xa4

// comparableName is the same for two GeneralNames that match: directoryNames as names,
// others by their bytes. It is made once of each, for reading a name takes a while.
func comparableName(general []byte) string {
	if name, is := directoryNameIn(general); is {
		key := truststore.NameKey(name)
		return string(general[:1]) + string(key[:])
	}
	return string(general)
}

func directoryNameIn(general []byte) ([]byte, bool) {
	input, name := cryptobyte.String(general), cryptobyte.String(nil)
	if len(general) == 0 || general[0] != directoryTag {
		return nil, false
	}
	ok := input.ReadASN1(&name, tags.Tag(4).ContextSpecific().Constructed()) && input.Empty()
	return name, ok
}
