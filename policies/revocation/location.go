package revocation

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Location is where to learn of revocations: a CRL, or, with a Certificate, what
// an OCSP responder says of it.
type Location struct {
	URL string
	// Issuers are the CAs one of which signs the CRL; of an OCSP responder, the one
	// issuer of the certificate. What is signed by nobody of them is not taken.
	Issuers []*x509.Certificate
	// Certificate is the one to ask an OCSP responder about; nil for a CRL.
	Certificate *x509.Certificate
}

// Name returns the URL without its query, which may hold a secret: for logs, metrics
// and pages.
func (l Location) Name() string {
	name, _, _ := strings.Cut(l.URL, "?")
	return name
}

func (l Location) check() error {
	if err := CheckURL(l.URL); err != nil {
		return err
	}
	if len(l.Issuers) == 0 || l.Certificate != nil && len(l.Issuers) != 1 {
		return errors.New("it is not said whose revocations the location has")
	}
	return nil
}

// key is the same for two locations that are kept as one: whose revocations they
// have is part of it, so that no client's CA gets into the place of another's.
func (l Location) key() string {
	if l.Certificate == nil {
		var issuers []string
		for _, issuer := range l.Issuers {
			issuers = append(issuers, fmt.Sprintf("%x", caID(issuer)))
		}
		slices.Sort(issuers)
		return "crl " + l.URL + " " + strings.Join(slices.Compact(issuers), " ")
	}
	about := subjectOf(l.Certificate, l.Issuers[0])
	return fmt.Sprintf("ocsp %s %x %x", l.URL, about.key, about.serial)
}

// caID is the same for two certificates of one name and key.
func caID(c *x509.Certificate) [sha256.Size]byte {
	key := keyID(c)
	return sha256.Sum256(append(key[:], c.RawSubject...))
}

// fileOf names the file that keeps what a location had.
func fileOf(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:20]) + ".der"
}

// query is what to send.
func (l Location) query() (Query, error) {
	if l.Certificate == nil {
		return Query{URL: l.URL, Max: MaxCRLBytes}, nil
	}
	body, err := OCSPRequest(l.Certificate, l.Issuers[0])
	return Query{URL: l.URL, Body: body, Max: MaxAnswerBytes}, err
}

// known is what a location had, proven to be of its issuer.
type known struct {
	crl    *CRL
	answer *Answer
	der    []byte // dropped once kept on disk
	size   int64
}

func (k known) isZero() bool { return k.crl == nil && k.answer == nil }

func (k known) times() (this, next time.Time) {
	if k.crl != nil {
		return k.crl.ThisUpdate, k.crl.NextUpdate
	}
	return k.answer.ThisUpdate, k.answer.NextUpdate
}

func (k known) id() [sha256.Size]byte {
	if k.crl != nil {
		return k.crl.ID
	}
	return k.answer.ID
}

// read proves what a location answered. Whether it is current is not asked: what
// a CA once said of a revoked certificate is worth to know.
func (l Location) read(der []byte, at time.Time) (known, error) {
	if l.Certificate != nil {
		answer, err := readAnswer(der, l.Certificate, l.Issuers[0], at)
		return known{answer: answer, der: der, size: int64(len(der))}, in(Malformed, err)
	}
	lists, err := ParseCRLs(der)
	if err != nil {
		return known{}, in(Malformed, err)
	}
	if len(lists) != 1 {
		return known{}, in(Malformed, fmt.Errorf("%d CRLs where one is expected", len(lists)))
	}
	var signed error
	for _, issuer := range l.Issuers {
		if signed = lists[0].SignedBy(issuer); signed == nil {
			break
		}
	}
	if signed != nil {
		return known{}, in(Unsigned, signed)
	}
	if lists[0].ThisUpdate.After(at.Add(maxSkew)) {
		return known{}, in(Stale, fmt.Errorf("the %s is of the future: %s", lists[0], lists[0].ThisUpdate.UTC().Format(time.RFC3339)))
	}
	return known{crl: lists[0], der: der, size: int64(len(der))}, nil
}

// follows reports whether next may take the place of what is known: it is not
// older, and, as long as that is current, for the same certificates. Otherwise
// whoever stands between could put back a list of before a revocation, or one of
// other certificates, which says nothing of these.
func (k known) follows(next known, at time.Time) error {
	if k.isZero() || k.id() == next.id() {
		return nil
	}
	this, end := k.times()
	newThis, _ := next.times()
	if newThis.Before(this) {
		return fmt.Errorf("it is of %s, older than the one of %s that is known", newThis.UTC().Format(time.RFC3339), this.UTC().Format(time.RFC3339))
	}
	if k.crl == nil {
		return nil
	}
	if newThis.Equal(this) && next.crl.Number.Cmp(k.crl.Number) < 0 {
		return fmt.Errorf("it is number %s, lower than the %s that is known", next.crl.Number, k.crl.Number)
	}
	if at.Before(end) && (!k.crl.sameScope(next.crl) || !k.crl.sameSigner(next.crl)) {
		return errors.New("it is for other certificates than the one that is known, which still counts")
	}
	return nil
}

// sameSigner is asked of lists whose signers are known.
func (c *CRL) sameSigner(other *CRL) bool {
	return bytes.Equal(c.rawIssuer, other.rawIssuer) && c.signature.key() == other.signature.key()
}

func (c *CRL) sameScope(other *CRL) bool {
	a, b := c.scope, other.scope
	return c.Delta == other.Delta && a.onlyUsers == b.onlyUsers && a.onlyCAs == b.onlyCAs && a.onlyAttributes == b.onlyAttributes &&
		a.indirect == b.indirect && a.reasons == b.reasons && slices.EqualFunc(a.points, b.points, slices.Equal)
}
