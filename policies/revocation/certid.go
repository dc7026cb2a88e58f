package revocation

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	tags "golang.org/x/crypto/cryptobyte/asn1"
)

// What of an OCSP answer x/crypto/ocsp does not look at: the issuer of the
// CertID, a second answer for the same number, and the extensions of the whole.
type (
	outerAnswer struct {
		Status asn1.Enumerated
		Bytes  struct {
			Type  asn1.ObjectIdentifier
			Basic []byte
		} `asn1:"explicit,tag:0,optional"`
	}
	basicAnswer struct {
		Data      answerData
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
		Rest      []asn1.RawValue `asn1:"explicit,tag:0,optional"`
	}
	answerData struct {
		Version    int `asn1:"optional,default:0,explicit,tag:0"`
		Responder  asn1.RawValue
		ProducedAt asn1.RawValue
		Answers    []singleAnswer
		Extensions []pkix.Extension `asn1:"explicit,tag:1,optional"`
	}
	singleAnswer struct {
		About certID
		Rest  asn1.RawValue
	}
	certID struct {
		Hash            pkix.AlgorithmIdentifier
		NameHash, KeyID []byte
		Serial          asn1.RawValue
	}
)

// maxAnswerCertificates bounds the certificates beside an answer; only the first
// counts.
const maxAnswerCertificates = 10

// checkStructure finds the one answer that is about the certificate, by the name
// and the key of its issuer.
func checkStructure(der []byte, c, issuer *x509.Certificate) error {
	var outer outerAnswer
	if rest, err := asn1.Unmarshal(der, &outer); err != nil || len(rest) > 0 {
		return errors.New("not an OCSP answer")
	}
	if outer.Status != 0 {
		return in(Declined, fmt.Errorf("the OCSP responder answers with error %d", outer.Status))
	}
	var basic basicAnswer
	if rest, err := asn1.Unmarshal(outer.Bytes.Basic, &basic); err != nil || len(rest) > 0 {
		return errors.New("not a basic OCSP answer")
	}
	if len(basic.Data.Answers) > maxSingleAnswers || len(basic.Rest) > maxAnswerCertificates {
		return fmt.Errorf("the OCSP answer is about more than %d certificates, or has more than %d", maxSingleAnswers, maxAnswerCertificates)
	}
	for _, extension := range basic.Data.Extensions {
		if extension.Critical {
			return fmt.Errorf("the OCSP answer has extension %s, which is critical and unknown", extension.Id)
		}
	}
	serial := serialContent(c.SerialNumber)
	found := 0
	for _, answer := range basic.Data.Answers {
		if serial == nil || !bytes.Equal(answer.About.Serial.Bytes, serial) {
			continue
		}
		found++
		if err := answer.About.isOf(c, issuer); err != nil {
			return err
		}
	}
	if found != 1 {
		return fmt.Errorf("the OCSP answer is about the certificate %d times, where once is expected", found)
	}
	return nil
}

// isOf asks for the issuer by its key, and by its name, as the certificate writes it
// (RFC 6960 4.1.1) or as the issuer itself does.
func (id certID) isOf(c, issuer *x509.Certificate) error {
	key, err := keyBits(issuer)
	if err != nil {
		return err
	}
	var hash func([]byte) []byte
	switch {
	case id.Hash.Algorithm.Equal(asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}):
		hash = sha1Of
	case id.Hash.Algorithm.Equal(asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}):
		hash = func(text []byte) []byte { sum := sha256.Sum256(text); return sum[:] }
	default:
		return fmt.Errorf("the OCSP answer names its certificate by hash %s; SHA-1 and SHA-256 are accepted", id.Hash.Algorithm)
	}
	named := bytes.Equal(id.NameHash, hash(issuer.RawSubject)) ||
		bytes.Equal(id.NameHash, hash(c.RawIssuer)) && sameName(c.RawIssuer, issuer.RawSubject)
	if !named || !bytes.Equal(id.KeyID, hash(key)) {
		return errors.New("the OCSP answer is about a certificate of another issuer")
	}
	return nil
}

// sha1Of is for names of keys and issuers alone, as RFC 6960 has them.
func sha1Of(text []byte) []byte { sum := sha1.Sum(text); return sum[:] }

// keyBits returns the content of the certificate's subjectPublicKey.
func keyBits(c *x509.Certificate) ([]byte, error) {
	input := cryptobyte.String(c.RawSubjectPublicKeyInfo)
	var inner cryptobyte.String
	var key asn1.BitString
	if !input.ReadASN1(&inner, tags.SEQUENCE) || !inner.SkipASN1(tags.SEQUENCE) || !inner.ReadASN1BitString(&key) {
		return nil, errors.New("the key of the certificate cannot be read")
	}
	return key.RightAlign(), nil
}
