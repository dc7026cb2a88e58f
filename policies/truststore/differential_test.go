package truststore_test

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies/truststore"
)

// standardAccepts is the judgement of crypto/x509.
func standardAccepts(chain *truststore.Chain, anchors []*truststore.Anchor, at time.Time) error {
	roots, intermediates := x509.NewCertPool(), x509.NewCertPool()
	for _, anchor := range anchors {
		roots.AddCert(anchor.Certificate)
	}
	for _, certificate := range chain.Intermediates {
		intermediates.AddCert(certificate)
	}
	_, err := chain.Leaf.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: intermediates, CurrentTime: at,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	return err
}

// documentedClass names the class of docs/validation.md for which certbearer may
// accept a path that crypto/x509 refuses with an error, "" if there is none.
func documentedClass(path truststore.Path, at time.Time, standard error) string {
	if ofNoConstrainedKind(path, standard) {
		return "names of other kinds"
	}
	for i, certificate := range path {
		for _, id := range certificate.UnhandledCriticalExtensions {
			if id.Equal(asn1.ObjectIdentifier{2, 5, 29, 30}) {
				return "directory names"
			}
			if id.Equal(asn1.ObjectIdentifier{2, 5, 29, 17}) {
				return "alternative names"
			}
		}
		if i > 0 && !bytes.Equal(path[i-1].RawIssuer, certificate.RawSubject) {
			return "names"
		}
		anchor := i == len(path)-1 // which is nearly always, and is held to no constraint of its own
		if i > 0 && !anchor && truststore.NameKey(certificate.RawSubject) == truststore.NameKey(certificate.RawIssuer) {
			return "self-issued"
		}
		if at.After(certificate.NotAfter) {
			return "seconds"
		}
		if i > 0 && belowExcludedHost(certificate, path[:i]) {
			return "excluded hosts"
		}
	}
	return ""
}

// ofNoConstrainedKind reports whether crypto/x509 could not read an alternative name of
// a kind that no CA of the path has a constraint on.
func ofNoConstrainedKind(path truststore.Path, standard error) bool {
	var constraints func(*x509.Certificate) int
	switch text := standard.Error(); {
	case strings.Contains(text, "URI"):
		constraints = func(c *x509.Certificate) int { return len(c.PermittedURIDomains) + len(c.ExcludedURIDomains) }
	case strings.Contains(text, "cannot parse rfc822Name"):
		constraints = func(c *x509.Certificate) int { return len(c.PermittedEmailAddresses) + len(c.ExcludedEmailAddresses) }
	case strings.Contains(text, "cannot parse dnsName"):
		constraints = func(c *x509.Certificate) int { return len(c.PermittedDNSDomains) + len(c.ExcludedDNSDomains) }
	default:
		return false
	}
	return !slices.ContainsFunc(path[1:], func(ca *x509.Certificate) bool { return constraints(ca) > 0 })
}

// belowExcludedHost reports whether a mailbox or a URI below the CA is of a host under
// one that the CA excludes.
func belowExcludedHost(ca *x509.Certificate, below truststore.Path) bool {
	under := func(host string, excluded []string) bool {
		return slices.ContainsFunc(excluded, func(base string) bool {
			return base != "" && strings.HasSuffix(strings.ToLower(host), "."+strings.ToLower(base))
		})
	}
	for _, certificate := range below {
		for _, mailbox := range certificate.EmailAddresses {
			if under(mailbox[strings.LastIndexByte(mailbox, '@')+1:], ca.ExcludedEmailAddresses) {
				return true
			}
		}
		for _, uri := range certificate.URIs {
			if under(uri.Hostname(), ca.ExcludedURIDomains) {
				return true
			}
		}
	}
	return false
}

// differ fails if one of the profiles accepts what crypto/x509 refuses, and no class
// says so; or if crypto/x509 accepts what both refuse, for a rule that is in no row
// of docs/validation.md.
func differ(t *testing.T, chain *truststore.Chain, anchors []*truststore.Anchor, at time.Time) {
	t.Helper()
	standard := standardAccepts(chain, anchors, at)
	verify := func(profile truststore.Profile) (truststore.Path, error) {
		terms := truststore.Terms{At: at, Profile: profile}
		if err := terms.CheckLeaf(chain.Leaf); err != nil {
			return nil, err
		}
		return terms.Verify(chain, anchors)
	}
	_, strictly := verify(truststore.Strict)
	path, err := verify(truststore.Compatible)
	switch {
	case strictly == nil && err != nil:
		t.Errorf("accepted by strict, and not by compatible: %v", err)
	case err == nil && standard != nil && documentedClass(path, at, standard) == "":
		t.Errorf("accepted here, and not by crypto/x509: %v", standard)
	case err != nil && standard == nil && !documentedRefusal(err):
		t.Errorf("accepted by crypto/x509, and not here: %v", err)
	}
}

// stricterHere are the refusals of docs/validation.md which the compatible profile
// has and crypto/x509 does not, by a part of what each says.
var stricterHere = []string{
	"key_weak:", "key_unsupported:", "signature_weak:", "certificate_is_ca:", "path_too_complex:", "critical_extension_unknown:",
	"its keyUsage lacks digitalSignature", "its extendedKeyUsage lacks clientAuth", "its extendedKeyUsage lists nothing",
	"it is a CA without a subject", "it has neither a subject nor a subjectAltName",
	"its basicConstraints are malformed", "its policyConstraints are malformed", "its nameConstraints are malformed",
	"its inhibitAnyPolicy is negative",
	"that no certificate of its version has", "or behind it that is none",
	"by the nameConstraints of", "subjectAltName", "explicit certificate policy", "map anyPolicy",
	"no signature leads to",
}

func documentedRefusal(err error) bool {
	return slices.ContainsFunc(stricterHere, func(part string) bool { return strings.Contains(err.Error(), part) })
}

// FuzzDifferential puts extensions and names of the fuzzer's into an anchor, a CA
// or a leaf, which are then properly signed.
func FuzzDifferential(f *testing.F) {
	rootKey, interKey, leafKey := newKey(f, testca.P256), newKey(f, testca.P256), newKey(f, testca.P256)
	seed := func(extension pkix.Extension) {
		f.Add(byte(1), byte(extension.Id[3]), extension.Critical, extension.Value, "inter", "lab.example", "a@lab.example", "https://lab.example/", int64(0))
	}
	seed(permits(dns("lab.example")))
	seed(permits(email("lab.example"), uri(".example")))
	seed(excludes(network(f, "192.0.2.0/24"), organization(f, "Acme")))
	seed(requires(0))
	seed(forbidsMapping(1))
	seed(forbidsAny(0))
	seed(policiesOf(f, gold, anyRule))
	seed(mapping(f, gold, silver))
	seed(ce(37, false, 0x30, 0))
	seed(ce(19, true, 0x30, 6, 1, 1, 0xff, 2, 1, 0))
	seed(ce(15, true, 3, 2, 2, 4))
	seed(excludes(email("example")))
	seed(excludes(uri("example")))
	seed(permits(dns(".example")))
	seed(notCritical(excludes(dns(".lab.example"))))
	seed(notCritical(forbidsAny(0)))
	seed(notCritical(requires(0)))
	seed(ce(35, false, 0x30, 0))
	seed(ce(14, false, 4, 0))
	seed(ce(19, false, 0x30, 3, 1, 1, 0xff))
	f.Add(byte(2), byte(17), true, tlv(0x30, tlv(0x82, []byte("*.lab.example")...)...), "root", "", "", "", int64(1))
	f.Fuzz(func(t *testing.T, where, arc byte, critical bool, value []byte, interName, dnsName, mailName, uriName string, seconds int64) {
		if len(value) > 4096 || arc > 127 {
			return
		}
		templates := [3]testca.Template{
			{CommonName: "root", CA: true, Key: rootKey},
			{CommonName: interName, CA: true, Key: interKey},
			{CommonName: "leaf", Organization: interName, Key: leafKey},
		}
		if dnsName != "" {
			templates[2].DNSNames = []string{dnsName}
		}
		if mailName != "" {
			templates[2].Emails = []string{mailName}
		}
		if uriName != "" {
			templates[2].URIs = []string{uriName}
		}
		in := &templates[where%3]
		in.ExtraExtensions = []pkix.Extension{ce(int(arc), critical, value...)}
		root, err := testca.SelfSigned(templates[0])
		if err != nil {
			return
		}
		inter, err := root.Issue(templates[1])
		if err != nil {
			return
		}
		leaf, err := inter.Issue(templates[2])
		if err != nil {
			return
		}
		// What crypto/x509 cannot read never gets as far as a path.
		read, err := x509.ParseCertificate(leaf.Certificate.Raw)
		if err != nil {
			return
		}
		entries, err := truststore.Parse(root.PEM())
		if err != nil || !entries[0].IsAnchor() {
			return
		}
		at := time.Now().Add(time.Duration(seconds%3) * time.Second)
		differ(t, truststore.NewChain(read, certificates(inter)), []*truststore.Anchor{truststore.NewAnchor(entries[0])}, at)
	})
}

func TestWhatIsAcceptedOfLimboCryptoX509AcceptsToo(t *testing.T) {
	for _, c := range limboCases(t) {
		leaf, err := parsePEM(c.Leaf)
		if err != nil {
			continue
		}
		var anchors []*truststore.Anchor
		for _, text := range c.Trusted {
			if entries, err := truststore.Parse([]byte(text)); err == nil && entries[0].IsAnchor() {
				anchors = append(anchors, truststore.NewAnchor(entries[0]))
			}
		}
		chain := truststore.NewChain(leaf, nil)
		for _, text := range c.Untrusted {
			if certificate, err := parsePEM(text); err == nil {
				chain.Intermediates = append(chain.Intermediates, certificate)
			}
		}
		at := time.Now()
		if c.At != nil {
			at = *c.At
		}
		t.Run(c.ID, func(t *testing.T) { differ(t, chain, anchors, at) })
	}
}
