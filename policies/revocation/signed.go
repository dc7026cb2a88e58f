package revocation

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/certbearer/certbearer/policies/truststore"
)

// maxStrangers bounds the keys that a list remembers not to be signed by, and so
// the signature checks that one list can cost: hashing 64 MiB takes a while.
const maxStrangers = 16

// signature is what SignedBy needs, until it knows whose the list is.
type signature struct {
	mu        sync.Mutex
	algorithm x509.SignatureAlgorithm
	tbs       []byte // nil once the signer is known
	octets    []byte
	signer    [sha256.Size]byte // of the signer's key
	strangers [][sha256.Size]byte
}

func (s *signature) of(head *x509.RevocationList, tbs []byte) {
	s.algorithm, s.octets, s.tbs = head.SignatureAlgorithm, head.Signature, bytes.Clone(tbs)
}

// keyID is the same for two certificates of one key.
func keyID(c *x509.Certificate) [sha256.Size]byte { return sha256.Sum256(c.RawSubjectPublicKeyInfo) }

// SignedBy says whether the CA issued the list: it has the issuer's name, may
// sign CRLs (RFC 5280 4.2.1.3), and its key made the signature, which is as
// strong as one on a certificate must be. The answer is remembered, so that a
// large list is hashed once.
func (c *CRL) SignedBy(issuer *x509.Certificate) error {
	if !bytes.Equal(c.rawIssuer, issuer.RawSubject) {
		return fmt.Errorf("the issuer of the %s has another name", c)
	}
	if err := maySign(issuer); err != nil {
		return fmt.Errorf("the %s: %w", c, err)
	}
	if len(c.authorityKeyID) > 0 && len(issuer.SubjectKeyId) > 0 && !bytes.Equal(c.authorityKeyID, issuer.SubjectKeyId) {
		return fmt.Errorf("the authorityKeyIdentifier of the %s names another key of its issuer", c)
	}
	return c.signature.by(issuer)
}

// maySign holds the CA to basicConstraints and cRLSign. A keyUsage without a bit
// allows nothing, and looks like none in the parsed field.
func maySign(issuer *x509.Certificate) error {
	if !issuer.BasicConstraintsValid || !issuer.IsCA {
		return errors.New("its issuer is no CA")
	}
	limited := slices.ContainsFunc(issuer.Extensions, isKeyUsage)
	if limited && issuer.KeyUsage&x509.KeyUsageCRLSign == 0 {
		return errors.New("the keyUsage of its issuer lacks cRLSign")
	}
	return nil
}

// key is the signer's, zero until it is known.
func (s *signature) key() [sha256.Size]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.signer
}

func (s *signature) by(issuer *x509.Certificate) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := keyID(issuer)
	switch {
	case s.tbs == nil && s.signer == key:
		return nil
	case s.tbs == nil || slices.Contains(s.strangers, key):
		return errors.New("the CRL is not signed with the issuer's key")
	case len(s.strangers) >= maxStrangers:
		return fmt.Errorf("the CRL is signed with none of %d keys of its issuer's name", maxStrangers)
	}
	if err := checkSignature(issuer, s.algorithm, s.tbs, s.octets); err != nil {
		s.strangers = append(s.strangers, key)
		return fmt.Errorf("the CRL is not signed with the issuer's key: %w", err)
	}
	s.signer, s.tbs, s.octets, s.strangers = key, nil, nil, nil
	return nil
}

// checkSignature checks one signature of a CRL or an OCSP answer. The list says
// which are accepted, as in truststore: one that is new to us is refused.
func checkSignature(by *x509.Certificate, algorithm x509.SignatureAlgorithm, signed, octets []byte) error {
	switch algorithm {
	case x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA,
		x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS,
		x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512,
		x509.PureEd25519:
		return by.CheckSignature(algorithm, signed, octets)
	}
	return fmt.Errorf("a signature by %s, which is not accepted", algorithm)
}

// checkResponder holds a certificate to what truststore asks of a leaf, whatever
// its purpose: validity, key, signature algorithm, critical extensions.
func checkResponder(c *x509.Certificate, at time.Time) error {
	return truststore.Terms{At: at, AnyPurpose: true}.CheckLeaf(c)
}
