package testca

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"math/big"
	"time"
)

// Issued is a certificate with its private key and the way up to its root.
type Issued struct {
	// Certificate is the certificate as crypto/x509 parses it. It refuses
	// some alternative names that a Template may ask for; then URIs is nil
	// and the other names are the template's, while Raw, the signature and
	// the extensions are what was really issued.
	Certificate *x509.Certificate
	Key         crypto.Signer
	// Issuer is nil where the certificate is self-signed.
	Issuer *Issued
}

// SelfSigned makes a certificate that its own key signs: a root CA, or a
// client's certificate that is to be pinned.
func SelfSigned(t Template) (*Issued, error) {
	return sign(t, nil)
}

// Issue makes a certificate signed by i, whether or not i is a CA or still
// valid.
func (i *Issued) Issue(t Template) (*Issued, error) {
	return sign(t, i)
}

func sign(t Template, issuer *Issued) (*Issued, error) {
	cert, err := t.certificate(time.Now())
	if err != nil {
		return nil, fmt.Errorf("testca: %w", err)
	}
	key, err := t.key()
	if err != nil {
		return nil, fmt.Errorf("testca: %w", err)
	}
	s := signing{parent: cert, signer: key, subject: key.Public()}
	if issuer != nil {
		s.parent, s.signer = issuer.Certificate, issuer.Key
		// Left to itself, crypto/x509 omits it where the names are equal.
		cert.AuthorityKeyId = issuer.Certificate.SubjectKeyId
	}
	parsed, err := s.issue(cert, t)
	if err != nil {
		return nil, fmt.Errorf("testca: %w", err)
	}
	return &Issued{Certificate: parsed, Key: key, Issuer: issuer}, nil
}

// signing is who signs, and for which public key.
type signing struct {
	parent  *x509.Certificate
	signer  crypto.Signer
	subject crypto.PublicKey
}

func (s signing) der(cert *x509.Certificate) ([]byte, error) {
	return x509.CreateCertificate(rand.Reader, cert, s.parent, s.subject, s.signer)
}

func (s signing) issue(cert *x509.Certificate, t Template) (*x509.Certificate, error) {
	der, err := s.der(cert)
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil && t.hasNames() {
		return s.parseUnderOtherNames(der, cert, t)
	}
	return parsed, err
}

// newSerial is a random positive number of at most 20 octets (RFC 5280
// section 4.1.2.2).
func newSerial() (*big.Int, error) {
	one := big.NewInt(1)
	limit := new(big.Int).Lsh(one, 159)
	n, err := rand.Int(rand.Reader, limit.Sub(limit, one))
	if err != nil {
		return nil, fmt.Errorf("serial number: %w", err)
	}
	return n.Add(n, one), nil
}
