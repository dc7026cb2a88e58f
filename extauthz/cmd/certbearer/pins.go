package main

import (
	"bytes"
	"crypto/x509"
	"io"
	"time"

	"github.com/certbearer/certbearer/policies/truststore"
)

// maxPins bounds the pinned certificates that are shown.
const maxPins = 32

// pinJSON is a certificate of the trust store that is not the one presented. Same
// is "key" or "subject" where the two have that in common: the presented one may
// have come after it.
type pinJSON struct {
	Certificate pathCertificate `json:"certificate"`
	Same        string          `json:"same,omitempty"`
}

// pinsBeside returns the certificates of a store with which the presented one was
// compared in vain: those that are like it before the others. Where CAs decide,
// the others say nothing.
func pinsBeside(store []truststore.Entry, leaf *x509.Certificate) (pins []pinJSON, omitted int) {
	var others []pinJSON
	issues := false
	for _, entry := range store {
		pin := pinJSON{newPathCertificate(entry.Certificate), likeness(leaf, entry.Certificate)}
		if issues = issues || entry.IsAnchor(); pin.Same != "" {
			pins = append(pins, pin)
		} else {
			others = append(others, pin)
		}
	}
	if !issues {
		pins = append(pins, others...)
	}
	shown := min(len(pins), maxPins)
	return pins[:shown], len(pins) - shown
}

// printPins prints them under the certificate that was presented.
func printPins(w io.Writer, leaf *x509.Certificate, pins []pinJSON) error {
	if len(pins) == 0 {
		return nil
	}
	if _, err := io.WriteString(w, "\n"); err != nil {
		return err
	}
	presented := newPathCertificate(leaf)
	rows := [][]string{
		{"CERTIFICATE", "SHA-256", "UNTIL", "COMPARED"},
		{shortened(presented.name), presented.Thumbprint, stamp(presented.NotAfter), "presented"},
	}
	for _, pin := range pins {
		compared := "in the trust store: another certificate"
		if pin.Same != "" {
			compared += " of the same " + pin.Same + ": " + succession(leaf.NotBefore, pin.Certificate.NotBefore)
		}
		rows = append(rows, []string{shortened(pin.Certificate.name), pin.Certificate.Thumbprint, stamp(pin.Certificate.NotAfter), compared})
	}
	return printTable(w, rows)
}

// succession says which of two certificates of one owner may have replaced the other.
func succession(presented, stored time.Time) string {
	if presented.Before(stored) {
		return "the presented one began before it"
	}
	return "the presented one may have come after it"
}

// likeness says what two different certificates of one owner have in common.
func likeness(a, b *x509.Certificate) string {
	switch {
	case a.Equal(b):
		return ""
	case bytes.Equal(a.RawSubjectPublicKeyInfo, b.RawSubjectPublicKeyInfo):
		return "key"
	case len(a.Subject.Names) > 0 && truststore.NameKey(a.RawSubject) == truststore.NameKey(b.RawSubject):
		return "subject"
	}
	return ""
}
