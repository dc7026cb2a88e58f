package revocation

import (
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/certbearer/certbearer/policies/decision"
)

// Status is the outcome of a judgement that refuses nothing.
type Status uint8

// The statuses. Unchecked: the mode is off, or the path is a pinned certificate
// alone. Unknown: only in soft mode, for at least one certificate.
const (
	Unchecked Status = iota
	Good
	Unknown
)

// String returns "unchecked", "good" or "unknown".
func (s Status) String() string {
	switch s {
	case Good:
		return "good"
	case Unknown:
		return "unknown"
	}
	return "unchecked"
}

// Verdict is what revocation has to say of a path that is not refused.
type Verdict struct {
	Status Status
	// Until is the end of the verdict: the earliest nextUpdate that it rests on.
	// Zero: it has none of its own.
	Until time.Time
	// Stamp is what the verdict hangs on, see [View.Holds].
	Stamp Stamp
	// Missing says, of each certificate whose status is unknown, why: a
	// *decision.Denial of the reason for which hard mode would refuse it.
	Missing []error
}

// Judge asks about every certificate of the path but the anchor, whose issuer
// nobody knows. path is validated: each certificate is signed by the next. A
// pinned certificate is a path of one, with nothing to ask, unless its issuer is
// in the client's store: then [WithIssuers] makes the path.
//
// The error is a *decision.Denial: CertificateRevoked where any of them is known
// to be revoked, whatever else is missing; in hard mode RevocationStale where all
// that is known is past its nextUpdate, and RevocationUnavailable where nothing is
// known that can be believed.
//
// What was once listed stays revoked when the list has ended, until a newer one
// is without it: a responder that is silenced takes nothing back.
func (v *View) Judge(path []*x509.Certificate, policy Policy, at time.Time) (Verdict, error) {
	if policy.Mode == Off || len(path) < 2 {
		return Verdict{}, nil
	}
	verdict := Verdict{Status: Good}
	for i, c := range path[:len(path)-1] {
		s := v.shelf(path[i+1].RawSubject)
		verdict.Stamp.parts = append(verdict.Stamp.parts, stampPart{string(path[i+1].RawSubject), s})
		until, err := s.judge(c, path[i+1], at)
		switch {
		case decision.ReasonOf(err) == decision.CertificateRevoked && err != nil:
			return Verdict{}, err
		case err != nil:
			verdict.Status = Unknown
			verdict.Missing = append(verdict.Missing, err)
		case verdict.Until.IsZero() || until.Before(verdict.Until):
			verdict.Until = until
		}
	}
	if policy.Mode != Soft && len(verdict.Missing) > 0 {
		return Verdict{}, verdict.Missing[0]
	}
	return verdict, nil
}

// finding gathers what the lists and answers of a CA say of one certificate.
type finding struct {
	until   time.Time // latest end of something that speaks for every reason
	partial reasons   // what lists of some reasons cover together
	ends    time.Time // earliest end of those
	stale   time.Time // latest end of what would have spoken
	refused error     // why something did not count
}

// judge returns until when the certificate is known not to be revoked.
func (s *shelf) judge(c, issuer *x509.Certificate, at time.Time) (time.Time, error) {
	var f finding
	if s != nil {
		serial := serialContent(c.SerialNumber)
		for _, list := range s.lists {
			if err := f.ask(list, c, issuer, serial, at); err != nil {
				return time.Time{}, err
			}
		}
		for _, answer := range s.answers[subjectOf(c, issuer)] {
			if err := f.hear(answer, s, c, issuer, at); err != nil {
				return time.Time{}, err
			}
		}
	}
	return f.conclude(c, issuer)
}

// ask looks a certificate up in a list. A number in a list of its issuer is that
// certificate's whatever part the list is for: only those for attribute
// certificates and for other issuers number others.
func (f *finding) ask(list *CRL, c, issuer *x509.Certificate, serial []byte, at time.Time) error {
	if list.scope.indirect || list.scope.onlyAttributes {
		f.refused = fmt.Errorf("the %s is for other certificates", list)
		return nil
	}
	if err := list.SignedBy(issuer); err != nil {
		f.refused = err
		return nil
	}
	if serial == nil {
		f.refused = errors.New("its serial number is longer than any on a list")
		return nil
	}
	if found, revoked := list.entries.find(serial); revoked {
		return revokedBy(c, found.since, int(found.reason), list.String())
	}
	covered, err := list.scope.covers(c)
	switch {
	case err != nil:
		f.refused = err
	case list.Delta || covered == 0:
		f.refused = fmt.Errorf("the %s is for other certificates, or of changes only", list)
	case list.ThisUpdate.After(at.Add(maxSkew)):
		f.refused = fmt.Errorf("the %s is of the future: %s", list, list.ThisUpdate.UTC().Format(time.RFC3339))
	case at.After(list.NextUpdate):
		f.stale = later(f.stale, list.NextUpdate)
	case covered == allReasons:
		f.until = later(f.until, list.NextUpdate)
	default:
		f.partial |= covered
		f.ends = earlier(f.ends, list.NextUpdate)
	}
	return nil
}

func (f *finding) hear(answer *Answer, s *shelf, c, issuer *x509.Certificate, at time.Time) error {
	if answer.Revoked {
		return revokedBy(c, answer.Since, answer.Reason, "the OCSP responder of "+bounded(issuer.Subject.String()))
	}
	switch {
	case s.revoked(answer.responder, issuer):
		f.refused = errors.New("the OCSP responder's own certificate is revoked")
	case answer.ThisUpdate.After(at.Add(maxSkew)):
		f.refused = errors.New("the OCSP answer is of the future")
	case at.After(answer.NextUpdate):
		f.stale = later(f.stale, answer.NextUpdate)
	default:
		f.until = later(f.until, answer.NextUpdate)
	}
	return nil
}

// revoked reports whether a list of the issuer has the serial number.
func (s *shelf) revoked(serial []byte, issuer *x509.Certificate) bool {
	if serial == nil {
		return false
	}
	for _, list := range s.lists {
		if list.scope.indirect || list.scope.onlyAttributes || list.SignedBy(issuer) != nil {
			continue
		}
		if _, found := list.entries.find(serial); found {
			return true
		}
	}
	return false
}

func (f *finding) conclude(c, issuer *x509.Certificate) (time.Time, error) {
	switch {
	case !f.until.IsZero():
		return f.until, nil
	case f.partial == allReasons:
		return f.ends, nil
	case !f.stale.IsZero():
		return time.Time{}, decision.Denyf(decision.RevocationStale, describe(c), "what is known of it ended at %s", f.stale.UTC().Format(time.RFC3339))
	case f.partial != 0:
		return time.Time{}, decision.Denyf(decision.RevocationUnavailable, describe(c), "the CRLs of %s that are known leave reasons out", bounded(issuer.Subject.String()))
	case f.refused != nil:
		return time.Time{}, decision.Deny(decision.RevocationUnavailable, describe(c), f.refused)
	}
	return time.Time{}, decision.Denyf(decision.RevocationUnavailable, describe(c), "neither a CRL nor an OCSP answer of %s is known", bounded(issuer.Subject.String()))
}

func revokedBy(c *x509.Certificate, since time.Time, reason int, by string) error {
	return decision.Denyf(decision.CertificateRevoked, describe(c), "revoked since %s, %s, by %s", since.UTC().Format(time.RFC3339), reasonText(uint8(min(max(reason, 0), 255))), by)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}
