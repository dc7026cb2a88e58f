package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"strings"
)

// envoyEscapes are the characters of PEM that Envoy percent-encodes.
var envoyEscapes = strings.NewReplacer(" ", "%20", "\n", "%0A", "+", "%2B", "/", "%2F", "=", "%3D")

func envoyPEM(ders ...[]byte) string {
	var text strings.Builder
	for _, der := range ders {
		text.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	return envoyEscapes.Replace(text.String())
}

// forwardedHeader writes x-forwarded-client-cert as Envoy does with cert and
// chain switched on: the leaf in Cert, all of them in Chain. hops is how many
// proxies of the operator's wrote an element each, the calling one included, of
// which the first one's counts; 0 means that there is one.
func forwardedHeader(ders [][]byte, hops int) string {
	sum := sha256.Sum256(ders[0])
	element := "Hash=" + hex.EncodeToString(sum[:]) + `;Cert="` + envoyPEM(ders[0]) + `";Chain="` + envoyPEM(ders...) + `"`
	return element + strings.Repeat(",By=spiffe://gateway", max(hops, 1)-1)
}
