package testca

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"slices"
)

// parseUnderOtherNames reads a certificate whose names crypto/x509 refuses.
// Everything but the names comes from parsing a twin that differs in nothing
// else; the names, the bytes and the signature are then those of the original.
func (s signing) parseUnderOtherNames(der []byte, cert *x509.Certificate, t Template) (*x509.Certificate, error) {
	parsed, err := s.twin(cert)
	if err != nil {
		return nil, err
	}
	parsed.DNSNames, parsed.EmailAddresses, parsed.IPAddresses = t.DNSNames, t.Emails, t.IPs
	for i, ext := range parsed.Extensions {
		if ext.Id.Equal(oidSubjectAltName()) {
			parsed.Extensions[i] = cert.ExtraExtensions[indexOfNames(cert.ExtraExtensions)]
		}
	}
	return withBytes(parsed, der)
}

func (s signing) twin(cert *x509.Certificate) (*x509.Certificate, error) {
	names, err := Template{DNSNames: []string{"twin.invalid"}}.subjectAltName()
	if err != nil {
		return nil, err
	}
	twin := *cert
	twin.ExtraExtensions = slices.Clone(cert.ExtraExtensions)
	original := &twin.ExtraExtensions[indexOfNames(twin.ExtraExtensions)]
	original.Value = names.Value
	der, err := s.der(&twin)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func indexOfNames(extensions []pkix.Extension) int {
	return slices.IndexFunc(extensions, func(e pkix.Extension) bool { return e.Id.Equal(oidSubjectAltName()) })
}

func withBytes(cert *x509.Certificate, der []byte) (*x509.Certificate, error) {
	var outer struct {
		TBS       asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}
	if _, err := asn1.Unmarshal(der, &outer); err != nil {
		return nil, fmt.Errorf("reading back the certificate: %w", err)
	}
	cert.Raw = der
	cert.RawTBSCertificate = outer.TBS.FullBytes
	cert.Signature = outer.Signature.RightAlign()
	return cert, nil
}
