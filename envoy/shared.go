package envoy

// StrippedHeaders returns the names, and the beginnings of names, of the headers
// that a caller's request loses before anything looks at it, for those who
// configure Envoy in another language.
func StrippedHeaders() (names, prefixes []string) {
	return append(forgeableHeaders(), reroutingHeaders()...), forgeablePrefixes()
}

// SignatureAlgorithms returns what a client may prove its key with.
func SignatureAlgorithms() []string { return signatureAlgorithms() }

// CipherSuites returns those of TLS 1.2.
func CipherSuites() []string { return cipherSuites() }
