package tokens

import "encoding/binary"

// cacheKey is everything of a request that shows in its token, and the
// certificate also where it does not show. It is the content itself, each part
// behind its length, and not a hash of it: two requests that met in a short
// hash would have each other's tokens. At and NotAfter are left out; they decide
// whether a cached token still serves.
func cacheKey(r *Request) string {
	var space [512]byte
	key := space[:0]
	key = appendText(key, r.ClientID)
	key = append(key, r.Thumbprint[:]...)
	key = append(key, byte(r.Bind), byte(r.Use))
	key = binary.AppendVarint(key, int64(r.Lifetime))
	key = appendText(key, r.Typ)
	key = appendText(key, r.Issuer)
	key = appendText(key, r.Audience)
	key = binary.AppendUvarint(key, uint64(len(r.Scope)))
	for _, scope := range r.Scope {
		key = appendText(key, scope)
	}
	key = binary.AppendUvarint(key, uint64(len(r.Certificates)))
	for _, name := range r.Certificates {
		key = appendText(key, name)
	}
	return string(key)
}

func appendText(key []byte, text string) []byte {
	return append(binary.AppendUvarint(key, uint64(len(text))), text...)
}
