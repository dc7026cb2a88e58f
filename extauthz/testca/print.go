package testca

import (
	"encoding/hex"
	"fmt"
	"io"
)

// Format prints the thumbprint under every verb. A test that prints what it
// has must not print the private key.
func (i Issued) Format(s fmt.State, _ rune) {
	_, _ = io.WriteString(s, i.label())
}

// MarshalText keeps the key out of JSON and of log/slog.
func (i Issued) MarshalText() ([]byte, error) {
	return []byte(i.label()), nil
}

func (i Issued) label() string {
	if i.Certificate == nil {
		return "no certificate"
	}
	thumbprint := i.Thumbprint()
	return "certificate sha256:" + hex.EncodeToString(thumbprint[:])
}
