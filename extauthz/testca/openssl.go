package testca

import (
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"time"
)

// LikeOpenSSL makes the certificate that partners send in practice, as
//
//	openssl req -new -x509 -newkey rsa:2048 -days 365 -subj "/CN=…/O=…"
//
// makes it with OpenSSL 3's own configuration: an RSA 2048 key, self-signed
// with SHA-256, the subject in the order given and in UTF-8, the two key
// identifiers, critical CA:TRUE, no key usage of either sort. It is a client's
// certificate all the same. An empty argument is left out of the subject.
func LikeOpenSSL(commonName, organization string) (*Issued, error) {
	key, err := NewKey(RSA2048)
	if err != nil {
		return nil, fmt.Errorf("testca: %w", err)
	}
	cert, err := openSSLCertificate(commonName, organization, key.Public().(*rsa.PublicKey))
	if err != nil {
		return nil, fmt.Errorf("testca: %w", err)
	}
	s := signing{parent: cert, signer: key, subject: key.Public()}
	parsed, err := s.issue(cert, Template{})
	if err != nil {
		return nil, fmt.Errorf("testca: %w", err)
	}
	return &Issued{Certificate: parsed, Key: key}, nil
}

func openSSLCertificate(commonName, organization string, pub *rsa.PublicKey) (*x509.Certificate, error) {
	subject, err := openSSLSubject(commonName, organization)
	if err != nil {
		return nil, err
	}
	extensions, err := openSSLExtensions(pub)
	if err != nil {
		return nil, err
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	now := time.Now().UTC()
	return &x509.Certificate{
		SerialNumber:       serial,
		RawSubject:         subject,
		NotBefore:          now,
		NotAfter:           now.AddDate(0, 0, 365),
		SignatureAlgorithm: x509.SHA256WithRSA,
		ExtraExtensions:    extensions,
	}, nil
}

// openSSLSubject is CN then O, each a UTF8String; pkix.Name would write O
// first and prefer PrintableString.
func openSSLSubject(commonName, organization string) ([]byte, error) {
	var subject pkix.RDNSequence
	add := func(oid asn1.ObjectIdentifier, value string) {
		if value == "" {
			return
		}
		utf8 := asn1.RawValue{Tag: asn1.TagUTF8String, Bytes: []byte(value)}
		subject = append(subject, pkix.RelativeDistinguishedNameSET{{Type: oid, Value: utf8}})
	}
	add(asn1.ObjectIdentifier{2, 5, 4, 3}, commonName)
	add(asn1.ObjectIdentifier{2, 5, 4, 10}, organization)
	return asn1.Marshal(subject)
}

// openSSLExtensions are the three of section v3_ca, in its order.
func openSSLExtensions(pub *rsa.PublicKey) ([]pkix.Extension, error) {
	// SHA-1 is what RFC 5280 section 4.2.1.2 names for key identifiers;
	// nothing's security rests on it.
	id := sha1.Sum(x509.MarshalPKCS1PublicKey(pub))
	subjectKeyID, err := asn1.Marshal(id[:])
	if err != nil {
		return nil, err
	}
	authorityKeyID, err := asn1.Marshal(struct {
		ID []byte `asn1:"tag:0"`
	}{id[:]})
	if err != nil {
		return nil, err
	}
	basicConstraints, err := asn1.Marshal(struct{ CA bool }{true})
	if err != nil {
		return nil, err
	}
	return []pkix.Extension{
		{Id: asn1.ObjectIdentifier{2, 5, 29, 14}, Value: subjectKeyID},
		{Id: asn1.ObjectIdentifier{2, 5, 29, 35}, Value: authorityKeyID},
		{Id: asn1.ObjectIdentifier{2, 5, 29, 19}, Critical: true, Value: basicConstraints},
	}, nil
}
