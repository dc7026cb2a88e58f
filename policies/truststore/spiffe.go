package truststore

import (
	"crypto/x509"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"github.com/certbearer/certbearer/policies/decision"
)

// Lengths of the SPIFFE ID standard, 2.3, in bytes. The ID's is of the
// whole URI.
const (
	maxSPIFFEID    = 2048
	maxTrustDomain = 255
)

// SVID returns the SPIFFE ID of a certificate that is an X509-SVID which may
// authenticate (SPIFFE X509-SVID 5.2), and its trust domain. The error says why it is
// none; who issued it is not asked.
func SVID(leaf *x509.Certificate) (id, trustDomain string, err error) {
	names, err := altNames(leaf)
	if err != nil {
		return "", "", err
	}
	parsed, err := svid(leaf, names)
	if err != nil {
		return "", "", err
	}
	return parsed.String(), parsed.TrustDomain().Name(), nil
}

// WhyNoSVID says why a certificate that was meant to be an X509-SVID, by the scheme of
// one of its URIs, is none; "" if it is one, or was never meant to be.
func WhyNoSVID(leaf *x509.Certificate) string {
	names, err := altNames(leaf)
	if err != nil {
		return ""
	}
	for _, name := range names {
		scheme, _, _ := strings.Cut(string(name.value), ":")
		if name.tag != tagURI || !strings.EqualFold(scheme, "spiffe") {
			continue
		}
		if _, err := svid(leaf, names); err != nil {
			return err.Error()
		}
	}
	return ""
}

func svid(leaf *x509.Certificate, names []altName) (spiffeid.ID, error) {
	var uris []string
	for _, name := range names {
		if name.tag == tagURI {
			uris = append(uris, string(name.value))
		}
	}
	switch {
	case len(uris) != 1:
		return spiffeid.ID{}, fmt.Errorf("it has %s, and an X509-SVID has exactly one (X509-SVID 2)", plural(len(uris), "URI"))
	case isCA(leaf):
		return spiffeid.ID{}, errors.New("it is a CA, or may sign certificates (X509-SVID 5.2)")
	case leaf.KeyUsage&x509.KeyUsageCRLSign != 0:
		return spiffeid.ID{}, errors.New("it may sign CRLs (X509-SVID 5.2)")
	case !allows(leaf, x509.KeyUsageDigitalSignature):
		return spiffeid.ID{}, errors.New("its keyUsage lacks digitalSignature (X509-SVID 4.3)")
	}
	id, err := workloadID(uris[0])
	if err != nil {
		return spiffeid.ID{}, fmt.Errorf("its URI %s %w", strconv.Quote(bounded(uris[0])), err)
	}
	return id, nil
}

// workloadID reads the ID of somebody who authenticates, which has a path. It takes
// the text as it stands: a parsed URL has lost what makes some of them none.
func workloadID(text string) (spiffeid.ID, error) {
	if len(text) > maxSPIFFEID {
		return spiffeid.ID{}, fmt.Errorf("has more than %d bytes", maxSPIFFEID)
	}
	id, err := spiffeid.FromString(text)
	switch {
	case err != nil:
		return spiffeid.ID{}, fmt.Errorf("is no SPIFFE ID: %w", err)
	case len(id.TrustDomain().Name()) > maxTrustDomain:
		return spiffeid.ID{}, fmt.Errorf("has a trust domain of more than %d bytes", maxTrustDomain)
	case id.Path() == "":
		return spiffeid.ID{}, errors.New("is a trust domain's own SPIFFE ID: whoever authenticates has one with a path (X509-SVID 3.1)")
	}
	return id, nil
}

// trustDomainNamed reads a trust domain as it stands in an ID.
func trustDomainNamed(text string) (spiffeid.TrustDomain, error) {
	if len(text) > maxTrustDomain {
		return spiffeid.TrustDomain{}, fmt.Errorf("has more than %d bytes", maxTrustDomain)
	}
	domain, err := spiffeid.TrustDomainFromString(text)
	if err == nil && domain.Name() != text {
		err = errors.New("write the name alone, without spiffe:// and path")
	}
	if err != nil {
		return spiffeid.TrustDomain{}, fmt.Errorf("is no trust domain: %w", err)
	}
	return domain, nil
}

// svidKeys are what an X509-SVID can be found by: its ID and its trust domain.
func svidKeys(id spiffeid.ID) []BindingKey {
	return []BindingKey{
		bindingKey(SPIFFEID, []byte(id.String())),
		bindingKey(SPIFFETrustDomain, []byte(id.TrustDomain().Name())),
	}
}

// checkSVID is Check for the two kinds of SPIFFE.
func (b Binding) checkSVID(leaf *x509.Certificate) error {
	names, err := altNames(leaf)
	if err != nil {
		return decision.Deny(decision.CertificateMalformed, describe(leaf)+" subjectAltName", err)
	}
	id, err := svid(leaf, names)
	if err != nil {
		return decision.Denyf(decision.SubjectMismatch, describe(leaf), "it is no X509-SVID, and the client is bound to %s %q: %w", b.Kind, b.Text, err)
	}
	for _, key := range svidKeys(id) {
		if key == b.key {
			return nil
		}
	}
	return decision.Denyf(decision.SubjectMismatch, describe(leaf), "its SPIFFE ID %s is not that of %s %q", strconv.Quote(bounded(id.String())), b.Kind, b.Text)
}
