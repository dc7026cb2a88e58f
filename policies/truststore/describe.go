package truststore

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"strconv"
	"strings"
)

// Bounds of the subject that is shown: a denial is made for every path that is
// tried, and writing a name out costs the square of its attributes.
const (
	maxShownBytes      = 200
	maxShownAttributes = 8
)

// describe names a certificate in a denial.
func describe(c *x509.Certificate) string { return "certificate " + strconv.Quote(NameOf(c)) }

func shownSubject(c *x509.Certificate) string {
	if len(c.RawSubject) > 2*maxShownBytes || len(c.Subject.Names) > maxShownAttributes {
		return endOf(c.Subject.Names)
	}
	return bounded(SubjectOf(c))
}

// endOf shows the last attributes of a long subject, which say most. The last one
// stands first, as RFC 4514 has it.
func endOf(all []pkix.AttributeTypeAndValue) string {
	var shown []string
	for i := len(all) - 1; i >= max(0, len(all)-maxShownAttributes); i-- {
		attribute := all[i]
		if text, isText := attribute.Value.(string); isText {
			attribute.Value = bounded(text)
		}
		shown = append(shown, writeAttribute(attribute))
	}
	text := strings.Join(shown, ",")
	if len(all) > maxShownAttributes && len(text) <= maxShownBytes {
		return text + ",…"
	}
	return bounded(text)
}

// bounded cuts what a caller wrote to what fits a denial.
func bounded(text string) string {
	if len(text) <= maxShownBytes {
		return text
	}
	return strings.ToValidUTF8(text[:maxShownBytes], "") + "…"
}
