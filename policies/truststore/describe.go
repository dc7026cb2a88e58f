package truststore

import (
	"crypto/x509"
	"strconv"
	"strings"
)

// describe names a certificate for an operator: its subject, bounded, for a
// subject is the caller's text.
func describe(c *x509.Certificate) string {
	const most = 200
	subject := c.Subject.String()
	if subject == "" {
		return "certificate without a subject"
	}
	if len(subject) > most {
		subject = strings.ToValidUTF8(subject[:most], "") + "…"
	}
	return "certificate " + strconv.Quote(subject)
}
