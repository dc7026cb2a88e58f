package signer

import (
	"encoding/base64"
	"math/big"
)

// octets reads base64url without padding (RFC 7515 section 2) in the one
// spelling that it has: the decoder itself passes over line breaks and spare
// bits, and one key must not have two files.
func octets(text string) ([]byte, bool) {
	decoded, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || text == "" || base64.RawURLEncoding.EncodeToString(decoded) != text {
		return nil, false
	}
	return decoded, true
}

// unsigned reads a Base64urlUInt (RFC 7518 section 2) above 0: big-endian,
// without leading zeros.
func unsigned(text string) (*big.Int, bool) {
	decoded, ok := octets(text)
	if !ok || decoded[0] == 0 {
		return nil, false
	}
	return new(big.Int).SetBytes(decoded), true
}
