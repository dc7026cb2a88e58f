package truststore

import (
	"crypto/x509"

	"github.com/certbearer/certbearer/policies/decision"
)

// MaxSignatureChecks bounds the signature checks of one decision, whatever keys they
// are by.
const MaxSignatureChecks = 50

// Bounds of what one decision may take, in hundredths of a signature check by a key on
// P-256, which takes 60 to 100 µs: by one on P-521 it takes as long as 21. Each kind of
// work has a bound of its own, too, but an input that runs into all of them at once
// would take as long as all of them together.
//
// maxWork is what reading and the search for a path may take: enough for a path of four
// certificates on P-521 and little else, or of eight on P-384. maxListWork is what
// revocation may take besides. It is enough for one check by any key but the dearest, so
// that of lists whose signer nobody has found, each judgement finds one at least.
const (
	checkWork   = 100
	maxWork     = 7000
	maxListWork = 2200
)

// What other work takes, by the same measure: how much of it there is to one.
const (
	readBytesPerWork       = 32 // of certificates as they are presented
	nameBytesPerWork       = 8  // of names that are folded, beyond ASCII
	constraintBytesPerWork = 40
	directoryBytesPerWork  = 5
	comparisonsPerWork     = 16
	lookUpsPerWork         = 8
	stepWork               = 4
	fallWork               = 30 // of a path, with what its denial shows
)

// Work counts what one decision has taken so far. The zero value is of one that has
// taken nothing. It is not safe for concurrent use.
type Work struct {
	checks int // of signatures
	spent  int // in hundredths of a check by a key on P-256
	looked int // look-ups that are less than that together
}

// Check counts a check of a signature on so many bytes by the certificate's key. The
// error is PathTooComplex; then it is not to be made.
func (w *Work) Check(by *x509.Certificate, bytes int) error {
	return w.check(by, bytes, maxWork)
}

// CheckList is Check for a signature on a CRL, of which revocation has a share of its
// own.
func (w *Work) CheckList(by *x509.Certificate, bytes int) error {
	return w.check(by, bytes, maxWork+maxListWork)
}

func (w *Work) check(by *x509.Certificate, bytes, most int) error {
	if w.checks >= MaxSignatureChecks {
		return decision.Denyf(decision.PathTooComplex, "certificate chain", "more than %d signature checks", MaxSignatureChecks)
	}
	if err := w.spend(costOf(by)+bytes/hashedBytesPerWork, most); err != nil {
		return err
	}
	w.checks++
	return nil
}

// LookUp counts what revocation looks up or compares, some 100 ns each.
func (w *Work) LookUp(count int) error {
	w.looked += count
	err := w.spend(w.looked/lookUpsPerWork, maxWork+maxListWork)
	w.looked %= lookUpsPerWork
	return err
}

// ReadNames counts names that revocation reads, in bytes.
func (w *Work) ReadNames(bytes int) error {
	return w.spend(bytes/directoryBytesPerWork, maxWork+maxListWork)
}

// spend refuses what would be too much, and does not count it: something cheaper may
// still have its place.
func (w *Work) spend(work, most int) error {
	if w.spent+work > most {
		return decision.Denyf(decision.PathTooComplex, "certificate chain", "it would take more than %d times as long as a signature check by a key on P-256", most/checkWork)
	}
	w.spent += work
	return nil
}
