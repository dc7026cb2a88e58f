package revocation

import (
	"crypto/x509"
	"errors"
	"time"

	"github.com/certbearer/certbearer/policies/decision"
	"github.com/certbearer/certbearer/policies/truststore"
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

// Judge is JudgeWithin for a decision that has taken nothing yet.
func (v *View) Judge(path []*x509.Certificate, policy Policy, at time.Time) (Verdict, error) {
	return v.JudgeWithin(new(truststore.Work), path, policy, at)
}

// JudgeWithin asks about every certificate of the path but the anchor, whose issuer
// nobody knows. path is validated: each certificate is signed by the next. A
// pinned certificate is a path of one, with nothing to ask, unless its issuer is
// in the client's store: then [WithIssuers] makes the path.
//
// The error is a *decision.Denial: CertificateRevoked where any of them is known
// to be revoked, whatever else is missing; in hard mode RevocationStale where all
// that is known is past its nextUpdate, and RevocationUnavailable where nothing is
// known that can be believed; PathTooComplex, in soft mode too, where there is more
// to ask than work leaves to the decision. Of lists whose signer nobody has found yet, the
// next judgement then finds more.
//
// What was once listed stays revoked when the list has ended, until a newer one
// is without it: a responder that is silenced takes nothing back.
func (v *View) JudgeWithin(work *truststore.Work, path []*x509.Certificate, policy Policy, at time.Time) (Verdict, error) {
	if policy.Mode == Off || len(path) < 2 {
		return Verdict{}, nil
	}
	verdict := Verdict{Status: Good, Stamp: Stamp{make([]stampPart, 0, len(path)-1)}}
	above, err := v.issuersOf(path, work)
	if err != nil {
		return Verdict{}, err
	}
	for i, c := range path[:len(path)-1] {
		issuer := above[i]
		about := subject{issuer.key, string(serialContent(c.SerialNumber))}
		known := askable{v.listing(issuer.name), v.hearing(stand{issuer.name, about})}
		verdict.Stamp.parts = append(verdict.Stamp.parts, stampPart{issuer.name, remember(known.lists), about, remember(known.heard)})
		until, err := known.judge(question{c, above[i : i+sameEntity(above[i:])], at, work})
		switch {
		case isTooMuch(err):
			return Verdict{}, decision.Denyf(decision.PathTooComplex, describe(c), "what is known of its revocation: %w", errors.Unwrap(err))
		case err != nil && refuses(err):
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

// refuses reports whether an error refuses in soft mode too.
func refuses(err error) bool {
	reason := decision.ReasonOf(err)
	return reason != decision.RevocationStale && reason != decision.RevocationUnavailable
}

// issuer is a CA on the path.
type issuer struct {
	signer
	name nameKey
}

func (v *View) issuersOf(path []*x509.Certificate, work *truststore.Work) ([]issuer, error) {
	all := make([]issuer, 0, len(path)-1)
	for _, c := range path[1:] {
		name, spelled := v.spelledAs(c.RawSubject)
		if !spelled {
			if err := work.ReadNames(len(c.RawSubject)); err != nil {
				return nil, err
			}
			name = truststore.NameKey(c.RawSubject)
		}
		all = append(all, issuer{signerOf(c), name})
	}
	return all, nil
}

// sameEntity returns how many at the start of the path are one CA, which issued for
// itself (RFC 5280 3.2, as in a change of keys).
func sameEntity(above []issuer) int {
	n := 1
	for n < len(above) && above[n].name == above[0].name {
		n++
	}
	return n
}

// lookUpsOfList is how many look-ups take as long as it takes to ask a list.
const lookUpsOfList = 2

// lookUp counts look-ups. Each of the issuer's other keys is asked for, too.
func (q question) lookUp(count int) error {
	return q.work.LookUp(count + count*(len(q.entity)-1)/4)
}

func isTooMuch(err error) bool { return decision.ReasonOf(err) == decision.PathTooComplex }

// question is about one certificate.
type question struct {
	c      *x509.Certificate
	entity []issuer // the issuer, and above it its other keys
	at     time.Time
	work   *truststore.Work
}

func (q question) issuer() *x509.Certificate { return q.entity[0].certificate }

// finding gathers what the lists and answers of a CA say of one certificate.
type finding struct {
	question
	lists  []*CRL
	serial []byte
	points map[string]reasons // of the certificate, once they were read
	read   bool
	unread error // why they cannot be
	keyed  bool  // a list of the key that signed the certificate is known
	own    tally // of that key, and of OCSP answers
	others tally // of the issuer's other keys
	// Why something did not count: the list, and what was wrong with it. The text is
	// made when it is needed.
	refusedList *CRL
	refused     error
}

// tally is what speaks for the certificate.
type tally struct {
	until   time.Time // latest end of something that speaks for every reason
	partial reasons   // what lists of some reasons cover together
	ends    time.Time // earliest end of those
	stale   time.Time // latest end of what would have spoken
}

var (
	errOtherCertificates = errors.New("it is for other certificates, or of changes only")
	errDelegated         = errors.New("its cRLDistributionPoints name another issuer of lists (cRLIssuer), and lists of another issuer do not count: have its own issuer write one, or answer by OCSP")
	errLeft              = errors.New("no client has its location any more")
	errFuture            = errors.New("it is of the future")
	errLongSerial        = errors.New("the certificate's serial number is longer than any on a list")
	errResponderRevoked  = errors.New("the OCSP responder's own certificate is revoked")
	errAnswerFuture      = errors.New("the OCSP answer is of the future")
)

// askable is what there is to ask about one certificate; nil is nothing.
type askable struct {
	lists *listing
	heard *hearing
}

// judge returns until when the certificate is known not to be revoked.
func (k askable) judge(q question) (time.Time, error) {
	f := finding{question: q, lists: k.lists.each(), serial: serialContent(q.c.SerialNumber)}
	if err := f.lookUp(lookUpsOfList * len(f.lists)); err != nil {
		return time.Time{}, err
	}
	for i, list := range f.lists {
		if err := f.ask(list, i < k.lists.vouching); err != nil {
			return time.Time{}, err
		}
	}
	for _, answer := range k.heard.each() {
		if err := f.hear(answer); err != nil {
			return time.Time{}, err
		}
	}
	return f.conclude()
}

// refuse keeps why something did not count: of several, what says the most.
func (f *finding) refuse(list *CRL, err error) error {
	if f.refused == nil || telling(err) > telling(f.refused) {
		f.refusedList, f.refused = list, err
	}
	return nil
}

// telling ranks why something did not count. There may be many lists of other keys,
// and for other certificates, and nothing is wrong with them.
func telling(err error) int {
	switch {
	case errors.Is(err, errOtherKey):
		return 0
	case errors.Is(err, errOtherCertificates):
		return 1
	}
	return 2
}

// ask looks a certificate up in a list. A number in a list that its issuer signed
// is that certificate's whatever part the list is for, and whichever of its keys
// it was signed with: only those for attribute certificates number others. To
// vouch for what it has not, a list has to be for this certificate, and somebody has
// to keep it fresh.
func (f *finding) ask(list *CRL, vouching bool) error {
	if list.scope.onlyAttributes {
		return f.refuse(list, errOtherCertificates)
	}
	by, err := f.signer(list)
	switch {
	case isTooMuch(err):
		return err
	case err != nil:
		return f.refuse(list, err)
	case f.serial == nil:
		return f.refuse(nil, errLongSerial)
	}
	if found, revoked := list.entries.find(f.serial); revoked {
		return revokedBy(f.c, found.since, int(found.reason), list.String())
	}
	if !vouching {
		f.keyed = f.keyed || by.key == f.entity[0].key
		return f.refuse(list, errLeft)
	}
	return f.vouch(list, by)
}

// signer is the issuer, by the one of its keys that signed the list.
func (f *finding) signer(list *CRL) (signer, error) {
	var first error
	for _, one := range f.entity {
		err := list.signature.by(one.signer, f.work)
		if err == nil || isTooMuch(err) {
			return one.signer, err
		}
		if first == nil {
			first = err
		}
	}
	return signer{}, first
}

// vouch takes what the list says of a certificate that is not on it. A list is its
// issuer's, whichever key signed it, as long as the path validates that key (RFC 5280
// 6.3.3 (f)). Some CAs keep a list for each key all the same: where one of the
// certificate's own key is known, or a list says that it is of one key, the others do
// not vouch.
func (f *finding) vouch(list *CRL, by signer) error {
	into := &f.own
	if by.key == f.entity[0].key {
		f.keyed = true
	} else if into = &f.others; list.oneKey {
		return f.refuse(list, errOneKey)
	}
	if err := list.mayVouch(by.certificate); err != nil {
		return f.refuse(list, err)
	}
	if list.Delta || !list.scope.speaksFor(f.c) {
		return f.refuse(list, errOtherCertificates)
	}
	if list.scope.pointed {
		if err := f.readPoints(); err != nil {
			return err
		}
		if err := f.lookUp(len(list.scope.points)); err != nil {
			return err
		}
	}
	if list.scope.pointed && f.unread != nil {
		return f.refuse(list, f.unread)
	}
	covered := list.scope.covers(f.points)
	switch {
	case covered == 0:
		return f.refuse(list, errOtherCertificates)
	case list.ThisUpdate.After(f.at.Add(maxSkew)):
		return f.refuse(list, errFuture)
	case f.at.After(list.NextUpdate):
		into.stale = later(into.stale, list.NextUpdate)
	case covered == allReasons:
		into.until = later(into.until, list.NextUpdate)
	default:
		into.partial |= covered
		into.ends = earlier(into.ends, list.NextUpdate)
	}
	return nil
}

// readPoints reads the distribution points of the certificate, once.
func (f *finding) readPoints() error {
	if f.read {
		return nil
	}
	if err := f.work.ReadNames(pointBytes(f.c)); err != nil {
		return err
	}
	f.points, f.unread = reasonsByName(f.c)
	f.read = true
	return nil
}

func (f *finding) hear(answer *Answer) error {
	if answer.Revoked {
		return revokedBy(f.c, answer.Since, answer.Reason, "the OCSP responder of "+bounded(truststore.NameOf(f.issuer())))
	}
	revoked, err := f.revokes(answer.responder)
	switch {
	case err != nil:
		return err
	case revoked:
		return f.refuse(nil, errResponderRevoked)
	case answer.ThisUpdate.After(f.at.Add(maxSkew)):
		return f.refuse(nil, errAnswerFuture)
	case f.at.After(answer.NextUpdate):
		f.own.stale = later(f.own.stale, answer.NextUpdate)
	default:
		f.own.until = later(f.own.until, answer.NextUpdate)
	}
	return nil
}

// revokes reports whether a list of the issuer has the serial number.
func (f *finding) revokes(serial []byte) (bool, error) {
	if err := f.lookUp(1); err != nil || serial == nil {
		return false, err
	}
	if err := f.lookUp(lookUpsOfList * len(f.lists)); err != nil {
		return false, err
	}
	for _, list := range f.lists {
		if list.scope.onlyAttributes {
			continue
		}
		if _, err := f.signer(list); isTooMuch(err) {
			return false, err
		} else if err != nil {
			continue
		}
		if _, found := list.entries.find(serial); found {
			return true, nil
		}
	}
	return false, nil
}

// speaking is the tally that counts. Without a list of the certificate's own key, own
// has OCSP answers only.
func (f *finding) speaking() tally {
	if f.keyed || !f.own.until.IsZero() {
		return f.own
	}
	counts := f.others
	counts.stale = later(counts.stale, f.own.stale)
	return counts
}

func (f *finding) conclude() (time.Time, error) {
	unavailable := func(format string, arguments ...any) (time.Time, error) {
		return time.Time{}, decision.Denyf(decision.RevocationUnavailable, describe(f.c), format, arguments...)
	}
	switch counts := f.speaking(); {
	case !counts.until.IsZero():
		return counts.until, nil
	case counts.partial == allReasons:
		return counts.ends, nil
	case !counts.stale.IsZero():
		return time.Time{}, decision.Denyf(decision.RevocationStale, describe(f.c), "what is known of it ended at %s", counts.stale.UTC().Format(time.RFC3339))
	case counts.partial != 0:
		return unavailable("the CRLs of %s that are known leave reasons out", bounded(truststore.NameOf(f.issuer())))
	case isDelegated(f.c):
		return unavailable("%w", errDelegated)
	case f.refusedList != nil:
		return unavailable("the %s of %s: %w", f.refusedList, f.refusedList.ThisUpdate.UTC().Format(time.RFC3339), f.refused)
	case f.refused != nil:
		return unavailable("%w", f.refused)
	}
	return unavailable("neither a CRL nor an OCSP answer of %s is known", bounded(truststore.NameOf(f.issuer())))
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
