// Package truststore reads the PEM trust store of a client and judges
// certificates by it: which certificates it pins, which are anchors, whether a
// chain of signatures leads from an anchor to a certificate, whether the path
// is good now, and whether the certificate is the subject that was agreed on.
//
// It knows certificates and times, no clients and no requests. Every failure
// is a *decision.Denial, except those of Parse and ParseBinding, whose input is
// the operator's.
package truststore

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// Limits of one trust store.
const (
	MaxStoreBytes        = 1 << 20
	MaxStoreCertificates = 1000
)

// Entry is one certificate of a trust store.
type Entry struct {
	// Block counts the PEM blocks of the store from 1.
	Block       int
	Certificate *x509.Certificate
	Thumbprint  [sha256.Size]byte
}

// IsAnchor reports whether the entry may issue: basicConstraints says CA, and
// keyUsage, where present, has keyCertSign (RFC 5280 4.2.1.3, 4.2.1.9).
func (e Entry) IsAnchor() bool { return isIssuer(e.Certificate) }

func isIssuer(c *x509.Certificate) bool {
	return c.BasicConstraintsValid && c.IsCA && allows(c, x509.KeyUsageCertSign)
}

// BlockError says which PEM block of a store is at fault. It never holds the
// block's content: that may be a private key.
type BlockError struct {
	Block   int // from 1
	Line    int // from 1, within the store's text
	Problem string
}

func (e *BlockError) Error() string {
	return fmt.Sprintf("block %d (line %d): %s", e.Block, e.Line, e.Problem)
}

const problemNoPEM = "text that is no PEM block: openssl x509 -in FILE writes the block alone"

// problemPrivateKey is the one problem that others have to know: the key is to be
// replaced.
const problemPrivateKey = "a private key: a trust store holds certificates only; take the key out and consider it exposed"

// IsPrivateKey reports whether the block is a private key.
func (e *BlockError) IsPrivateKey() bool { return e.Problem == problemPrivateKey }

// problemMalformed begins what is wrong with a block that is a certificate, and no
// good one.
const problemMalformed = "a malformed certificate: "

// IsMalformed reports whether the block holds a certificate, which cannot be used as
// it is. What is no certificate at all is another problem.
func (e *BlockError) IsMalformed() bool { return strings.HasPrefix(e.Problem, problemMalformed) }

// Parse reads concatenated PEM certificates. White space may stand around the
// blocks and nothing else: private keys, other PEM types, PEM headers, text and
// truncated blocks are each a *BlockError, and so is a public key that is not in
// its canonical encoding. Blank text is an empty store.
func Parse(text []byte) ([]Entry, error) {
	if len(text) > MaxStoreBytes {
		return nil, fmt.Errorf("the store has %d bytes, more than %d", len(text), MaxStoreBytes)
	}
	var entries []Entry
	rest := text
	for {
		rest = bytes.TrimLeft(rest, " \t\r\n")
		if len(rest) == 0 {
			return entries, nil
		}
		block := len(entries) + 1
		line := 1 + bytes.Count(text[:len(text)-len(rest)], []byte("\n"))
		if block > MaxStoreCertificates {
			return nil, fmt.Errorf("the store has more than %d certificates", MaxStoreCertificates)
		}
		der, after, problem := nextCertificate(rest)
		if problem != "" {
			return nil, &BlockError{Block: block, Line: line, Problem: problem}
		}
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, &BlockError{Block: block, Line: line, Problem: unreadable(der) + err.Error()}
		}
		if problem := surplus(certificate); problem != "" {
			return nil, &BlockError{Block: block, Line: line, Problem: problemMalformed + problem}
		}
		if !canonicalKey(certificate) {
			return nil, &BlockError{Block: block, Line: line, Problem: problemMalformed + "its public key is encoded in a way that no CA encodes it: one key could pass for two"}
		}
		entries = append(entries, Entry{Block: block, Certificate: certificate, Thumbprint: sha256.Sum256(der)})
		rest = after
	}
}

func unreadable(der []byte) string {
	if IsShaped(der) {
		return problemMalformed
	}
	return "not a certificate: "
}

// Salvage returns the certificates that can be read out of a text that Parse may
// refuse. Nobody may be let in by them: they only show whose certificates they
// are while nobody knows what the store is to be.
func Salvage(text []byte) []Entry {
	rest := text[:min(len(text), MaxStoreBytes)]
	var entries []Entry
	for len(entries) < MaxStoreCertificates {
		block, after := pem.Decode(rest)
		if block == nil {
			return entries
		}
		rest = after
		if certificate, err := x509.ParseCertificate(block.Bytes); err == nil {
			entries = append(entries, Entry{Block: len(entries) + 1, Certificate: certificate, Thumbprint: sha256.Sum256(block.Bytes)})
		}
	}
	return entries
}

var (
	pemBegin = []byte("-----BEGIN ")
	pemDash  = []byte("-----")
)

// nextCertificate reads the block that text begins with. encoding/pem skips
// what it does not understand; here that is a problem to name.
func nextCertificate(text []byte) (der, rest []byte, problem string) {
	if !bytes.HasPrefix(text, pemBegin) {
		return nil, nil, problemNoPEM
	}
	kind, _, complete := bytes.Cut(text[len(pemBegin):], pemDash)
	switch {
	case !complete || len(kind) > 64 || bytes.ContainsAny(kind, "\r\n"):
		return nil, nil, "the BEGIN line is cut short"
	case bytes.Contains(kind, []byte("PRIVATE KEY")):
		return nil, nil, problemPrivateKey
	case string(kind) != "CERTIFICATE":
		return nil, nil, fmt.Sprintf("PEM type %q where CERTIFICATE is expected", kind)
	}
	block, after := pem.Decode(text)
	if block == nil {
		return nil, nil, "the block is cut short or is no base64"
	}
	if consumed := text[:len(text)-len(after)]; bytes.Count(consumed, pemBegin) != 1 {
		return nil, nil, "the block is cut short or is no base64"
	}
	if len(block.Headers) != 0 {
		return nil, nil, "PEM headers, which certificates do not have"
	}
	return block.Bytes, after, ""
}

// ParseOne reads a PEM text that holds exactly one certificate.
func ParseOne(text []byte) (*x509.Certificate, error) {
	entries, err := Parse(text)
	if err != nil {
		return nil, err
	}
	if len(entries) != 1 {
		return nil, errors.New("holds " + plural(len(entries), "certificate") + " where one is expected")
	}
	return entries[0].Certificate, nil
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
