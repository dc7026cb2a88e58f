package revocation

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/certbearer/certbearer/policies/truststore"
)

// Answer is what an OCSP responder says of one certificate. It was proven when
// it was read, and is immutable.
type Answer struct {
	// ID is the SHA-256 of the DER.
	ID [sha256.Size]byte
	// Revoked, or else the responder vouches that it is not. Of a certificate
	// that it does not know there is no Answer.
	Revoked bool
	// Since and Reason (RFC 5280 5.3.1) are those of the revocation.
	Since  time.Time
	Reason int
	// ThisUpdate and NextUpdate bound the time in which the answer vouches. One
	// that names no end does for ten minutes, and none for longer than the
	// certificate of its responder is valid.
	ThisUpdate, NextUpdate time.Time

	about     subject
	rawIssuer []byte
	name      nameKey // of rawIssuer
	// responder is the serial number of a delegated responder's certificate that
	// the issuer may revoke; nil for the issuer itself, and for a certificate with
	// id-pkix-ocsp-nocheck.
	responder []byte
}

// subject is whom an answer is about: the serial number as in DER, and the
// issuer's key.
type subject struct {
	key    [sha256.Size]byte
	serial string
}

func subjectOf(c, issuer *x509.Certificate) subject {
	return subject{keyID(issuer), string(serialContent(c.SerialNumber))}
}

// OCSPRequest returns the request for a certificate's status (RFC 6960 4.1). Its
// CertID is by SHA-1, which every responder knows and no security rests on: the
// answer is held to the issuer's name and key. It has no nonce: answers are
// fetched for many decisions, and many responders sign them ahead (RFC 5019).
//
// The issuer's name is the one in the certificate (RFC 6960 4.1.1), which the issuer
// may write in another way on its own.
func OCSPRequest(c, issuer *x509.Certificate) ([]byte, error) {
	named := &x509.Certificate{RawSubject: c.RawIssuer, RawSubjectPublicKeyInfo: issuer.RawSubjectPublicKeyInfo}
	return ocsp.CreateRequest(c, named, nil)
}

// ParseAnswer reads a responder's answer about the certificate of that issuer. It
// returns an error for what is not an answer about it, is not signed by the
// issuer or by a responder that the issuer itself certified for that (RFC 6960
// 4.2.2.2), is not yet or no longer current, or says that the responder does not
// know the certificate.
func ParseAnswer(der []byte, c, issuer *x509.Certificate, at time.Time) (*Answer, error) {
	a, err := readAnswer(der, c, issuer, at)
	switch {
	case err != nil:
		return nil, err
	case at.After(a.NextUpdate):
		return nil, fmt.Errorf("the OCSP answer is stale: it counted until %s", a.NextUpdate.UTC().Format(time.RFC3339))
	}
	return a, nil
}

// readAnswer reads an answer that may have ended: what is revoked stays so.
func readAnswer(der []byte, c, issuer *x509.Certificate, at time.Time) (*Answer, error) {
	if len(der) > MaxAnswerBytes {
		return nil, fmt.Errorf("the OCSP answer has %d bytes, more than %d", len(der), MaxAnswerBytes)
	}
	if err := checkStructure(der, c, issuer); err != nil {
		return nil, err
	}
	// Without an issuer, the embedded certificate, if any, is only held to have
	// made the signature: who that is, is asked below.
	parsed, err := ocsp.ParseResponseForCert(der, c, nil)
	if err != nil {
		return nil, fmt.Errorf("the OCSP answer cannot be read: %w", err)
	}
	responder, err := checkSigner(parsed, issuer, earlierOf(parsed.ProducedAt, at))
	if err != nil {
		return nil, in(Unsigned, fmt.Errorf("the OCSP answer: %w", err))
	}
	a := &Answer{ID: sha256.Sum256(der), ThisUpdate: parsed.ThisUpdate, NextUpdate: parsed.NextUpdate,
		about: subjectOf(c, issuer), rawIssuer: issuer.RawSubject, name: truststore.NameKey(issuer.RawSubject)}
	if a.NextUpdate.IsZero() {
		a.NextUpdate = a.ThisUpdate.Add(answerWithoutEnd)
	}
	if err := a.checkTimes(parsed.ProducedAt, at); err != nil {
		return nil, in(Stale, err)
	}
	if responder != nil {
		a.takeResponder(responder)
	}
	switch parsed.Status {
	case ocsp.Good:
	case ocsp.Revoked:
		a.Revoked, a.Since, a.Reason = true, parsed.RevokedAt, parsed.RevocationReason
	default:
		return nil, in(Declined, errors.New("the OCSP responder does not know the certificate"))
	}
	return a, nil
}

// takeResponder ends the answer with its responder: with a key whose certificate
// has expired, an answer of before and for years could still be written.
func (a *Answer) takeResponder(responder *x509.Certificate) {
	a.NextUpdate = earlierOf(a.NextUpdate, responder.NotAfter)
	if !hasNoCheck(responder) {
		a.responder = serialContent(responder.SerialNumber)
	}
}

func earlierOf(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func (a *Answer) checkTimes(produced, at time.Time) error {
	switch latest := at.Add(maxSkew); {
	case a.ThisUpdate.After(latest) || produced.After(latest):
		return fmt.Errorf("the OCSP answer is of the future: %s", a.ThisUpdate.UTC().Format(time.RFC3339))
	case !a.NextUpdate.After(a.ThisUpdate):
		return errors.New("the nextUpdate of the OCSP answer is not after its thisUpdate")
	}
	return nil
}

// checkSigner asks whose the signature is. It returns the certificate of a delegated
// responder, nil for the issuer itself.
func checkSigner(parsed *ocsp.Response, issuer *x509.Certificate, at time.Time) (*x509.Certificate, error) {
	signer := parsed.Certificate
	if signer == nil || keyID(signer) == keyID(issuer) {
		if err := matchesID(parsed, issuer); err != nil {
			return nil, err
		}
		return nil, checkSignature(issuer, parsed.SignatureAlgorithm, parsed.TBSResponseData, parsed.Signature)
	}
	if err := matchesID(parsed, signer); err != nil {
		return nil, err
	}
	if err := checkSignature(signer, parsed.SignatureAlgorithm, parsed.TBSResponseData, parsed.Signature); err != nil {
		return nil, err
	}
	return signer, checkDelegated(signer, issuer, at)
}

// checkDelegated asks whether the issuer itself certified the responder for
// signing answers. A certificate for anything else, or of anybody else, signs
// none (RFC 6960 4.2.2.2).
func checkDelegated(signer, issuer *x509.Certificate, at time.Time) error {
	if !sameName(signer.RawIssuer, issuer.RawSubject) {
		return errors.New("its responder was certified by another CA than the certificate")
	}
	if err := checkResponder(signer, at); err != nil {
		return fmt.Errorf("its responder: %w", err)
	}
	if !slices.Contains(signer.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning) {
		return errors.New("the extendedKeyUsage of its responder lacks OCSPSigning")
	}
	if slices.ContainsFunc(signer.Extensions, isKeyUsage) && signer.KeyUsage&x509.KeyUsageDigitalSignature == 0 {
		return errors.New("the keyUsage of its responder lacks digitalSignature")
	}
	if err := checkSignature(issuer, signer.SignatureAlgorithm, signer.RawTBSCertificate, signer.Signature); err != nil {
		return fmt.Errorf("its responder was not certified with the issuer's key: %w", err)
	}
	return nil
}

// hasNoCheck looks for id-pkix-ocsp-nocheck (RFC 6960 4.2.2.2.1).
func hasNoCheck(c *x509.Certificate) bool {
	for _, extension := range c.Extensions {
		if extension.Id.Equal(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}) {
			return true
		}
	}
	return false
}

// matchesID holds the signer to the answer's ResponderID.
func matchesID(parsed *ocsp.Response, signer *x509.Certificate) error {
	if parsed.ResponderKeyHash != nil {
		hash, err := keyBits(signer)
		if err != nil || !bytes.Equal(parsed.ResponderKeyHash, sha1Of(hash)) {
			return errors.New("its responderID is not that of who signed it")
		}
		return nil
	}
	if !sameName(parsed.RawResponderName, signer.RawSubject) {
		return errors.New("its responderID is not that of who signed it")
	}
	return nil
}
