// Package revocation knows what CAs have taken back: certificate revocation
// lists (RFC 5280 section 5) and OCSP answers (RFC 6960).
//
// [ParseCRL] and [ParseAnswer] read what came from outside, bounded before it
// is parsed. A [View] is an immutable set of both; [View.Judge] asks it about
// every certificate of a path. The [Fetcher] keeps locations fresh in the
// background and never blocks a judgement.
//
// What it does not understand it never takes for an all-clear: a delta CRL may
// only add to what is revoked, and so may an indirect one, with what it has of its
// own issuer's; one with an unknown critical extension is refused whole.
package revocation

import "time"

// Bounds of what is read.
const (
	// MaxCRLBytes is the largest CRL: a million entries with a reason each are
	// 50 MB.
	MaxCRLBytes = 64 << 20
	// MaxCRLEntries bounds the memory of one list, about 30 bytes an entry.
	MaxCRLEntries = 2_000_000
	// MaxAnswerBytes is the largest OCSP answer: one status, a signature and a
	// responder's certificate are 3 KiB at most.
	MaxAnswerBytes = 64 << 10
)

const (
	// maxSerialBytes bounds a serial number: RFC 5280 4.1.2.2 has 20 octets, and
	// one for the sign that some CAs do not count.
	maxSerialBytes = 32
	// maxExtensions bounds the extensions of a CRL, and of an entry.
	maxExtensions = 32
	// maxPoints bounds the names of distribution points, of a CRL and of a
	// certificate.
	maxPoints = 64
	// maxPointNames bounds the names of all distribution points of a certificate.
	maxPointNames = 256
	// maxPointBytes bounds them in bytes: to read a name for comparison takes up to
	// 300 ns a byte.
	maxPointBytes = 8 << 10
	// maxIssuerBytes bounds what of a CRL stands before its entries, most of which is
	// the name of its issuer.
	maxIssuerBytes = 8 << 10
	// maxForeigners bounds the issuers of the entries of an indirect list.
	maxForeigners = 1000
	// maxExtensionBytes bounds the extensions of a CRL together: 64 names of
	// distribution points are 10 KiB.
	maxExtensionBytes = 64 << 10
	// maxSignatureBytes bounds the signature of a CRL: one by RSA of 8192 bits has
	// 1 KiB.
	maxSignatureBytes = 4 << 10
	// maxNumberBytes bounds a cRLNumber: RFC 5280 5.2.3 has 20 octets.
	maxNumberBytes = 32
	// maxCRLsOfFile bounds the lists in one text. A CA that writes its lists in parts
	// may have hundreds.
	maxCRLsOfFile = 1000
	// maxSingleAnswers bounds the certificates that one OCSP answer speaks of.
	maxSingleAnswers = 32
	// maxSkew is how far the clock of a CA may be ahead of ours.
	maxSkew = 5 * time.Minute
	// answerWithoutEnd is for how long an OCSP answer counts that does not say
	// when the next one comes (RFC 6960 2.4: newer ones are there all the time).
	answerWithoutEnd = 10 * time.Minute
)
