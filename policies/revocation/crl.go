package revocation

import (
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"time"

	"golang.org/x/crypto/cryptobyte"
	tags "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/certbearer/certbearer/policies/truststore"
)

var errNoNumber = errors.New("the CRL has no cRLNumber, which RFC 5280 5.2.3 asks for: have the CA write one (openssl ca, Easy-RSA: crlnumber)")

// CRL is a certificate revocation list that was read. Nothing is believed of it
// before [CRL.SignedBy] says whose it is. It is immutable but for what SignedBy
// remembers, and safe for concurrent use.
type CRL struct {
	// ID is the SHA-256 of the DER.
	ID [sha256.Size]byte
	// Issuer is the issuer's name, for people.
	Issuer string
	// Number is the cRLNumber (RFC 5280 5.2.3).
	Number *big.Int
	// ThisUpdate and NextUpdate bound the time in which the list speaks for what
	// it does not have.
	ThisUpdate, NextUpdate time.Time
	// Delta is true of a list of changes (RFC 5280 5.2.4): what it has is
	// revoked, of what it has not it says nothing.
	Delta bool

	rawIssuer      []byte
	name           nameKey // of rawIssuer
	authorityKeyID []byte
	scope          scope
	oneKey         bool // it is for what one key of its issuer signed
	entries        serials
	signature      signature
}

// Indirect reports whether the list has certificates of other issuers, too (RFC 5280
// 5.2.5). They count for nothing: such a list is taken for one of its own issuer's.
func (c *CRL) Indirect() bool { return c.scope.indirect }

// Partial reports whether the list speaks only for some certificates or reasons.
func (c *CRL) Partial() bool {
	s := c.scope
	return s.pointed || s.onlyUsers || s.onlyCAs || s.onlyAttributes || s.reasons != allReasons
}

// RawIssuer returns the issuer's name in DER. It is not to be changed.
func (c *CRL) RawIssuer() []byte { return c.rawIssuer }

// Len returns the number of entries that were kept: of an indirect list, those of
// its own issuer.
func (c *CRL) Len() int { return c.entries.count() }

// String names the list: its number and issuer.
func (c *CRL) String() string {
	return fmt.Sprintf("CRL %s of %s", c.Number, bounded(c.Issuer))
}

// describe names a certificate in a denial, as truststore does.
func describe(c *x509.Certificate) string { return "certificate " + bounded(truststore.NameOf(c)) }

func bounded(name string) string {
	const most = 200
	if len(name) > most {
		name = name[:most] + "…"
	}
	return strconv.Quote(name)
}

// ParseCRL reads one CRL in DER, of version 2 with cRLNumber and nextUpdate, as
// RFC 5280 section 5 has CAs write them. crypto/x509 reads all but the entries:
// those are walked, so that a million of them cost some 30 MB and not 500.
func ParseCRL(der []byte) (*CRL, error) { return parseCRL(der, nil) }

// parseCRL asks check, where not nil, before it walks the entries.
func parseCRL(der []byte, check func(*CRL) error) (*CRL, error) {
	if len(der) > MaxCRLBytes {
		return nil, fmt.Errorf("the CRL has %d bytes, more than %d", len(der), MaxCRLBytes)
	}
	parts, err := split(der)
	if err != nil {
		return nil, err
	}
	head, err := x509.ParseRevocationList(parts.withoutEntries)
	if err != nil {
		return nil, fmt.Errorf("not a CRL: %w", err)
	}
	if head.Number != nil && (head.Number.Sign() < 0 || head.Number.BitLen() > 8*maxNumberBytes) {
		return nil, fmt.Errorf("the cRLNumber is negative or has more than %d bytes", maxNumberBytes)
	}
	c := &CRL{ID: sha256.Sum256(der), Issuer: truststore.WriteName(head.RawIssuer, head.Issuer), Number: head.Number,
		ThisUpdate: head.ThisUpdate, NextUpdate: head.NextUpdate,
		rawIssuer: head.RawIssuer, name: truststore.NameKey(head.RawIssuer), authorityKeyID: head.AuthorityKeyId, scope: wholeScope(), entries: make(serials)}
	if err := c.checkTimes(); err != nil {
		return nil, err
	}
	if err := c.readExtensions(head.Extensions); err != nil {
		return nil, err
	}
	if err := c.signature.of(head, parts.tbs); err != nil {
		return nil, err
	}
	if check != nil {
		if err := check(c); err != nil {
			return nil, err
		}
	}
	if err := c.readEntries(parts.entries); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *CRL) checkTimes() error {
	if c.NextUpdate.IsZero() {
		return errors.New("the CRL has no nextUpdate, and would count forever: have the CA write one (openssl ca: default_crl_days)")
	}
	if !c.NextUpdate.After(c.ThisUpdate) {
		return errors.New("the nextUpdate of the CRL is not after its thisUpdate")
	}
	return nil
}

// crlParts are a CRL cut along its list of entries.
type crlParts struct {
	tbs            []byte // what is signed
	entries        cryptobyte.String
	withoutEntries []byte // the CRL as if it had none
}

// split walks CertificateList (RFC 5280 5.1) to the entries and past them.
func split(der []byte) (crlParts, error) {
	malformed := errors.New("not a CRL: its structure is not that of CertificateList")
	input := cryptobyte.String(der)
	var list, tbs, algorithm, signature cryptobyte.String
	if !input.ReadASN1(&list, tags.SEQUENCE) || !input.Empty() ||
		!list.ReadASN1Element(&tbs, tags.SEQUENCE) || !list.ReadASN1Element(&algorithm, tags.SEQUENCE) ||
		!list.ReadASN1Element(&signature, tags.BIT_STRING) || !list.Empty() {
		return crlParts{}, malformed
	}
	parts := crlParts{tbs: tbs}
	var inner cryptobyte.String
	if !tbs.ReadASN1(&inner, tags.SEQUENCE) {
		return crlParts{}, malformed
	}
	if inner.PeekASN1Tag(tags.SEQUENCE) {
		return crlParts{}, errors.New("the CRL is of version 1, which has no cRLNumber: have the CA write version 2 (openssl ca: crlnumber and crl_extensions)")
	}
	before := inner
	if !skipToEntries(&inner) {
		return crlParts{}, malformed
	}
	before = before[:len(before)-len(inner)]
	if len(before) > maxIssuerBytes {
		return crlParts{}, fmt.Errorf("the issuer's name has some %d bytes, more than %d", len(before), maxIssuerBytes)
	}
	if inner.PeekASN1Tag(tags.SEQUENCE) && !inner.ReadASN1(&parts.entries, tags.SEQUENCE) {
		return crlParts{}, malformed
	}
	after := inner
	if len(after) > maxExtensionBytes || len(algorithm)+len(signature) > maxSignatureBytes {
		return crlParts{}, fmt.Errorf("the CRL has %d bytes of extensions, more than %d, or a signature of more than %d", len(after), maxExtensionBytes, maxSignatureBytes)
	}
	if inner.Empty() {
		return crlParts{}, errNoNumber
	}
	if !inner.SkipASN1(tags.Tag(0).ContextSpecific().Constructed()) || !inner.Empty() {
		return crlParts{}, malformed
	}
	var b cryptobyte.Builder
	b.AddASN1(tags.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(tags.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddBytes(before)
			b.AddBytes(after)
		})
		b.AddBytes(algorithm)
		b.AddBytes(signature)
	})
	var err error
	parts.withoutEntries, err = b.Bytes()
	return parts, err
}

// skipToEntries passes version, algorithm, issuer, thisUpdate and nextUpdate.
func skipToEntries(tbs *cryptobyte.String) bool {
	return tbs.SkipASN1(tags.INTEGER) && tbs.SkipASN1(tags.SEQUENCE) && tbs.SkipASN1(tags.SEQUENCE) &&
		skipTime(tbs) && skipTime(tbs)
}

func skipTime(from *cryptobyte.String) bool {
	return from.SkipOptionalASN1(tags.UTCTime) && from.SkipOptionalASN1(tags.GeneralizedTime)
}
