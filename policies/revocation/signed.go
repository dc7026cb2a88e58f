package revocation

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/certbearer/certbearer/policies/truststore"
)

const (
	// maxStrangers is how many keys a list remembers not to be signed with. The
	// oldest gives way: whoever brings many keys of one name must not keep a list
	// from the key that did sign it.
	maxStrangers = 64
	// maxEd25519Bytes bounds a list signed by Ed25519, which signs no digest: all
	// of the list is hashed for each key that is tried.
	maxEd25519Bytes = 4 << 20
)

var (
	errOtherKey = errors.New("it is not signed with its issuer's key; a list of the key that signed the certificate is needed")
	errOneKey   = errors.New("its CA keeps a list for each of its keys, and this is another key's; a list of the key that signed the certificate is needed")
)

// signature is what it takes to say whose a list is. The list itself is not kept
// for that, and not hashed again for each key.
type signature struct {
	algorithm x509.SignatureAlgorithm
	hash      crypto.Hash
	signed    []byte // a digest; of Ed25519 what is signed
	octets    []byte

	signer    atomic.Pointer[fitting] // once it is known
	mu        sync.Mutex
	strangers [][sha256.Size]byte
	oldest    int
}

// fitting are the keys that fit a signature: the one that was found to, and, of an ECDSA
// signature, the one other that does. It is computed from the list, and may stand in a
// CA certificate of somebody who wants the list to be his, and not the CA's: both are
// taken for the signer, whichever was asked about first.
type fitting struct{ key, other [sha256.Size]byte }

func (f *fitting) has(key [sha256.Size]byte) bool { return f.key == key || f.other == key }

func (s *signature) fittingOf(issuer signer) *fitting {
	f := &fitting{issuer.key, issuer.key}
	if key, is := issuer.certificate.PublicKey.(*ecdsa.PublicKey); is {
		if other := truststore.OtherKey(key, s.octets, s.signed); other != nil {
			if encoded, err := x509.MarshalPKIXPublicKey(other); err == nil {
				f.other = sha256.Sum256(encoded)
			}
		}
	}
	return f
}

// isBy reports whether the key is known to fit the signature.
func (s *signature) isBy(key [sha256.Size]byte) bool {
	known := s.signer.Load()
	return known != nil && known.has(key)
}

func (s *signature) of(head *x509.RevocationList, tbs []byte) error {
	s.algorithm, s.octets = head.SignatureAlgorithm, head.Signature
	switch s.hash = hashOf(head.SignatureAlgorithm); {
	case s.hash != 0:
		digest := s.hash.New()
		digest.Write(tbs)
		s.signed = digest.Sum(nil)
	case head.SignatureAlgorithm == x509.PureEd25519 && len(tbs) > maxEd25519Bytes:
		return fmt.Errorf("the CRL has more than %d bytes and is signed by Ed25519: sign it with another kind of key, or in parts", maxEd25519Bytes)
	case head.SignatureAlgorithm == x509.PureEd25519:
		s.signed = bytes.Clone(tbs)
	}
	return nil
}

// hashOf returns the hash of a signature algorithm, 0 for one without and for one
// that is not accepted.
func hashOf(algorithm x509.SignatureAlgorithm) crypto.Hash {
	switch algorithm {
	case x509.SHA256WithRSA, x509.SHA256WithRSAPSS, x509.ECDSAWithSHA256:
		return crypto.SHA256
	case x509.SHA384WithRSA, x509.SHA384WithRSAPSS, x509.ECDSAWithSHA384:
		return crypto.SHA384
	case x509.SHA512WithRSA, x509.SHA512WithRSAPSS, x509.ECDSAWithSHA512:
		return crypto.SHA512
	}
	return 0
}

// signer is a CA whose key may have signed lists.
type signer struct {
	certificate *x509.Certificate
	key         [sha256.Size]byte
}

func signerOf(c *x509.Certificate) signer { return signer{c, keyID(c)} }

// keyID is the same for two certificates of one key.
func keyID(c *x509.Certificate) [sha256.Size]byte { return sha256.Sum256(c.RawSubjectPublicKeyInfo) }

// SignedBy says whether the CA issued the list: it has the issuer's name, may
// sign CRLs (RFC 5280 4.2.1.3), is the one of the authorityKeyIdentifier, and its
// key made the signature, which is as strong as one on a certificate must be. Who
// signed the list is remembered: asked again it costs next to nothing, and whoever
// asks when lists are read takes the check from the first judgement.
func (c *CRL) SignedBy(issuer *x509.Certificate) error {
	if !sameName(c.rawIssuer, issuer.RawSubject) {
		return fmt.Errorf("the issuer of the %s has another name", c)
	}
	if err := c.mayVouch(issuer); err != nil {
		return fmt.Errorf("the %s: %w", c, err)
	}
	if err := c.signature.by(signerOf(issuer), nil); err != nil {
		return fmt.Errorf("the %s: %w", c, err)
	}
	return nil
}

// mayVouch holds the CA to basicConstraints, cRLSign and the list's
// authorityKeyIdentifier. What the CA's key signed without them revokes what it
// has, and vouches for nothing. A keyUsage without a bit allows nothing, and looks
// like none in the parsed field.
func (c *CRL) mayVouch(issuer *x509.Certificate) error {
	if !issuer.BasicConstraintsValid || !issuer.IsCA {
		return errors.New("its issuer is no CA")
	}
	limited := slices.ContainsFunc(issuer.Extensions, isKeyUsage)
	if limited && issuer.KeyUsage&x509.KeyUsageCRLSign == 0 {
		return errors.New("the keyUsage of its issuer lacks cRLSign")
	}
	if len(c.authorityKeyID) > 0 && len(issuer.SubjectKeyId) > 0 && !bytes.Equal(c.authorityKeyID, issuer.SubjectKeyId) {
		return errors.New("its authorityKeyIdentifier names another key of its issuer; a list of the key that signed the certificate is needed")
	}
	return nil
}

// key is the signer's, zero until it is known.
func (s *signature) key() [sha256.Size]byte {
	if known := s.signer.Load(); known != nil {
		return known.key
	}
	return [sha256.Size]byte{}
}

// by asks whether the issuer's key made the signature. What it takes counts as work,
// where that is not nil; the error is PathTooComplex if it would be too much. Whatever was
// found is remembered, so that the next to ask goes on from there.
func (s *signature) by(issuer signer, work *truststore.Work) error {
	if known := s.signer.Load(); known != nil {
		if known.has(issuer.key) {
			return nil
		}
		return errOtherKey
	}
	if !truststore.MayFit(issuer.certificate, s.algorithm, s.octets) {
		return errOtherKey
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.count(issuer, work); err != nil {
		return err
	}
	if err := s.check(issuer.certificate); err != nil {
		s.remember(issuer.key)
		return err
	}
	s.signer.Store(s.fittingOf(issuer))
	s.strangers = nil
	return nil
}

// count lets a check be made, unless it is known how it ends or would be too much.
func (s *signature) count(issuer signer, work *truststore.Work) error {
	if work != nil {
		if err := work.LookUp(len(s.strangers)/4 + 1); err != nil {
			return err
		}
	}
	if slices.Contains(s.strangers, issuer.key) {
		return errOtherKey
	}
	if work == nil {
		return nil
	}
	hashed := 0
	if s.hash == 0 {
		hashed = len(s.signed)
	}
	return work.CheckList(issuer.certificate, hashed)
}

func (s *signature) remember(stranger [sha256.Size]byte) {
	if len(s.strangers) < maxStrangers {
		s.strangers = append(s.strangers, stranger)
		return
	}
	s.strangers[s.oldest] = stranger
	s.oldest = (s.oldest + 1) % maxStrangers
}

// check does what x509.Certificate.CheckSignature does, by the digest.
func (s *signature) check(issuer *x509.Certificate) error {
	if !truststore.AcceptsSignature(s.algorithm) {
		return fmt.Errorf("it is signed by %s, which is not accepted", s.algorithm)
	}
	good := false
	switch key := issuer.PublicKey.(type) {
	case *rsa.PublicKey:
		switch s.algorithm {
		case x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA:
			good = rsa.VerifyPKCS1v15(key, s.hash, s.signed, s.octets) == nil
		case x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS:
			good = rsa.VerifyPSS(key, s.hash, s.signed, s.octets, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
		}
	case *ecdsa.PublicKey:
		switch s.algorithm {
		case x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512:
			good = ecdsa.VerifyASN1(key, s.signed, s.octets)
		}
	case ed25519.PublicKey:
		good = s.algorithm == x509.PureEd25519 && ed25519.Verify(key, s.signed, s.octets)
	}
	if !good {
		return errOtherKey
	}
	return nil
}

// checkSignature checks one signature of an OCSP answer or a certificate.
func checkSignature(by *x509.Certificate, algorithm x509.SignatureAlgorithm, signed, octets []byte) error {
	if !truststore.AcceptsSignature(algorithm) {
		return fmt.Errorf("a signature by %s, which is not accepted", algorithm)
	}
	return by.CheckSignature(algorithm, signed, octets)
}

// checkResponder holds a certificate to what truststore asks of a leaf, whatever
// its purpose: validity, key, signature algorithm, critical extensions.
func checkResponder(c *x509.Certificate, at time.Time) error {
	return truststore.Terms{At: at, AnyPurpose: true}.CheckLeaf(c)
}
