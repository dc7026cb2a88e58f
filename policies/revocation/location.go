package revocation

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/certbearer/certbearer/policies/truststore"
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
	return fmt.Sprintf("ocsp %s %x %x", l.URL, caID(l.Issuers[0]), serialContent(l.Certificate.SerialNumber))
}

// caID is the same for two certificates of one name and key.
func caID(c *x509.Certificate) [sha256.Size]byte {
	return caIDOf(keyID(c), truststore.NameKey(c.RawSubject))
}

func caIDOf(key [sha256.Size]byte, name nameKey) [sha256.Size]byte {
	return sha256.Sum256(append(key[:], name[:]...))
}

// fileOf begins the names of the files that keep what a location had.
func fileOf(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:20])
}

// query is what to send.
func (l Location) query() (Query, error) {
	if l.Certificate == nil {
		return Query{URL: l.URL, Max: MaxCRLBytes}, nil
	}
	body, err := OCSPRequest(l.Certificate, l.Issuers[0])
	return Query{URL: l.URL, Body: body, Max: MaxAnswerBytes}, err
}

// read proves what a location answered. Whether it is current is not asked: what
// a CA once said of a revoked certificate is worth to know.
func (l Location) read(der []byte, at time.Time) (known, error) {
	if l.Certificate != nil {
		answer, err := readAnswer(der, l.Certificate, l.Issuers[0], at)
		return known{answer: answer, der: der, size: int64(len(der))}, in(Malformed, err)
	}
	// Whoever stands between can send a million entries; those that nobody signed are
	// not read.
	lists, err := parseCRLs(der, func(c *CRL) error { return in(Unsigned, l.signed(c)) })
	if err != nil {
		return known{}, in(Malformed, err)
	}
	if len(lists) != 1 {
		return known{}, in(Malformed, fmt.Errorf("%d CRLs where one is expected", len(lists)))
	}
	if lists[0].ThisUpdate.After(at.Add(maxSkew)) {
		return known{}, in(Stale, fmt.Errorf("the %s is of the future: %s", lists[0], lists[0].ThisUpdate.UTC().Format(time.RFC3339)))
	}
	return known{crl: lists[0], der: der, size: int64(len(der))}, nil
}

// signed asks for one of the issuers. The fault of one that has the list's name says
// more than that another has not.
func (l Location) signed(c *CRL) error {
	problem := fmt.Errorf("nobody wants the %s any more", c)
	for i, issuer := range l.Issuers {
		err := c.SignedBy(issuer)
		if err == nil {
			return nil
		}
		if i == 0 || sameName(c.rawIssuer, issuer.RawSubject) {
			problem = err
		}
	}
	return problem
}
