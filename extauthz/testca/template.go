package testca

import (
	"cmp"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"slices"
	"time"
)

// Template says what a certificate is to hold. The zero value is a client
// certificate without a name, on a new P-256 key, valid for a year.
type Template struct {
	// CommonName and Organization make the subject; empty ones are left out.
	CommonName   string
	Organization string
	// Units are organizational units, each an attribute of its own.
	Units []string

	// DNSNames, URIs, IPs and Emails make the subject alternative name
	// (RFC 5280 section 4.2.1.6). The strings are written byte for byte,
	// also those that are no URI, no host and no IA5String.
	DNSNames []string
	URIs     []string
	IPs      []net.IP
	Emails   []string

	// NotBefore and NotAfter bound the validity, to the second. Zero values:
	// from an hour ago, until a year from now or, of a CA, ten years from
	// now. Where only one is given, and is on the far side of the other's
	// default, that default moves along: an hour before NotAfter, a year or
	// ten after NotBefore.
	NotBefore time.Time
	NotAfter  time.Time

	// Key is the subject's own key; nil makes a new ECDSA P-256 key.
	Key crypto.Signer

	// CA writes basicConstraints CA:TRUE, else CA:FALSE; both are critical.
	CA bool
	// MaxPathLen is the CA's path length limit; nil sets none.
	MaxPathLen *int

	// KeyUsage nil means digitalSignature, or of a CA keyCertSign and
	// cRLSign. A pointer to 0 leaves the extension out.
	KeyUsage *x509.KeyUsage
	// ExtKeyUsage nil means clientAuth, or of a CA no extension.
	ExtKeyUsage []x509.ExtKeyUsage
	// NoExtKeyUsage leaves the extension out, whatever ExtKeyUsage says.
	NoExtKeyUsage bool

	// SignatureAlgorithm must suit the issuer's key; zero leaves the choice
	// to crypto/x509.
	SignatureAlgorithm x509.SignatureAlgorithm

	// ExtraExtensions are written as given. One that would be written anyhow
	// (key usage, basic constraints) takes its place.
	ExtraExtensions []pkix.Extension

	// SerialNumber nil means a random one of up to 159 bits.
	SerialNumber *big.Int

	// CRLs and OCSP are the URLs at which a CRL of the issuer is, and its OCSP
	// responder.
	CRLs []string
	OCSP []string

	// PermittedDNSDomains are name constraints, written as critical.
	PermittedDNSDomains []string
}

// certificate is the template as crypto/x509 takes it, complete but for what
// the issuer adds.
func (t Template) certificate(now time.Time) (*x509.Certificate, error) {
	serial, err := t.serial()
	if err != nil {
		return nil, err
	}
	extensions, err := t.extensions()
	if err != nil {
		return nil, err
	}
	notBefore, notAfter := t.validity(now)
	cert := &x509.Certificate{
		SerialNumber:                serial,
		Subject:                     t.subject(),
		NotBefore:                   notBefore,
		NotAfter:                    notAfter,
		BasicConstraintsValid:       true,
		IsCA:                        t.CA,
		KeyUsage:                    t.keyUsage(),
		ExtKeyUsage:                 t.extKeyUsage(),
		SignatureAlgorithm:          t.SignatureAlgorithm,
		ExtraExtensions:             extensions,
		CRLDistributionPoints:       t.CRLs,
		OCSPServer:                  t.OCSP,
		PermittedDNSDomains:         t.PermittedDNSDomains,
		PermittedDNSDomainsCritical: len(t.PermittedDNSDomains) > 0,
	}
	cert.MaxPathLen, cert.MaxPathLenZero = t.maxPathLen()
	return cert, nil
}

func (t Template) key() (crypto.Signer, error) {
	if t.Key != nil {
		return t.Key, nil
	}
	return NewKey(P256)
}

func (t Template) serial() (*big.Int, error) {
	if t.SerialNumber != nil {
		return t.SerialNumber, nil
	}
	return newSerial()
}

func (t Template) subject() pkix.Name {
	name := pkix.Name{CommonName: t.CommonName, OrganizationalUnit: t.Units}
	if t.Organization != "" {
		name.Organization = []string{t.Organization}
	}
	return name
}

func (t Template) validity(now time.Time) (notBefore, notAfter time.Time) {
	notBefore = t.NotBefore
	if notBefore.IsZero() {
		notBefore = now.Add(-time.Hour)
		if !t.NotAfter.IsZero() && t.NotAfter.Before(notBefore) {
			notBefore = t.NotAfter.Add(-time.Hour)
		}
	}
	notAfter = t.NotAfter
	if notAfter.IsZero() {
		notAfter = t.lifetimeFrom(slices.MaxFunc([]time.Time{now, notBefore}, time.Time.Compare))
	}
	return notBefore.UTC(), notAfter.UTC()
}

func (t Template) lifetimeFrom(start time.Time) time.Time {
	if t.CA {
		return start.AddDate(10, 0, 0)
	}
	return start.AddDate(0, 0, 365)
}

// maxPathLen gives crypto/x509's two fields: it takes a limit of 0 for none
// unless told otherwise, and -1 for none always.
func (t Template) maxPathLen() (limit int, isZero bool) {
	if t.MaxPathLen == nil {
		return -1, false
	}
	return *t.MaxPathLen, *t.MaxPathLen == 0
}

func (t Template) keyUsage() x509.KeyUsage {
	switch {
	case t.KeyUsage != nil:
		return *t.KeyUsage
	case t.CA:
		return x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	default:
		return x509.KeyUsageDigitalSignature
	}
}

func (t Template) extKeyUsage() []x509.ExtKeyUsage {
	switch {
	case t.NoExtKeyUsage:
		return nil
	case t.ExtKeyUsage != nil:
		return t.ExtKeyUsage
	case t.CA:
		return nil
	default:
		return []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	}
}

// extensions are those that crypto/x509 is not left to write itself.
func (t Template) extensions() ([]pkix.Extension, error) {
	if !t.hasNames() {
		return t.ExtraExtensions, nil
	}
	san, err := t.subjectAltName()
	if err != nil {
		return nil, fmt.Errorf("subject alternative name: %w", err)
	}
	return slices.Concat([]pkix.Extension{san}, t.ExtraExtensions), nil
}

func (t Template) hasNames() bool {
	return cmp.Or(len(t.DNSNames), len(t.URIs), len(t.IPs), len(t.Emails)) > 0
}
