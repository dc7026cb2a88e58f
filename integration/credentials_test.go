package integration_test

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"testing"
	"time"

	"github.com/certbearer/certbearer/extauthz/testca"
)

// credential is a certificate, the clients that are there when it is presented,
// and what comes of that.
type credential struct {
	clients map[string]document
	as      *tls.Certificate
	want    want
}

func pinned(t *testing.T) map[string]credential {
	t.Helper()
	seed := made(t)(testca.LikeOpenSSL("My Integration Client", "My Organization"))
	twin := made(t)(testca.LikeOpenSSL("My Integration Client", "My Organization"))
	names := selfSigned(t, testca.Template{
		CommonName: "named",
		DNSNames:   []string{"a.partner.example", "b.partner.example"},
		URIs:       []string{"spiffe://partner/a", "https://partner.example/?a=b&c=d"},
	})
	return map[string]credential{
		"one made as the seed says, and pinned, is accepted": {
			clients: map[string]document{"seed": trusting(seed)}, as: presents(seed), want: admitted("seed"),
		},
		"one with the names of a pinned one is unknown": {as: presents(twin), want: unauthenticated("client_unknown")},
		"two DNS and two URI names in an honest one are no obstacle": {
			clients: map[string]document{"named": trusting(names)}, as: presents(names), want: admitted("named"),
		},
	}
}

func chained(t *testing.T) map[string]credential {
	t.Helper()
	direct := authority(t, "Direct CA")
	one := issue(t, authority(t, "Root of One"), testca.Template{CommonName: "Between", CA: true})
	root := authority(t, "Root of Two")
	upper := issue(t, root, testca.Template{CommonName: "Upper", CA: true})
	lower := issue(t, upper, testca.Template{CommonName: "Lower", CA: true})
	stored := issue(t, authority(t, "Root of Stored"), testca.Template{CommonName: "Stored Issuer", CA: true})
	both := issue(t, authority(t, "Root of Both"), testca.Template{CommonName: "Stored Issuer of Both", CA: true})
	missing := issue(t, authority(t, "Root of Missing"), testca.Template{CommonName: "Missing Issuer", CA: true})
	return map[string]credential{
		"one that the client's CA issued is accepted": {
			clients: map[string]document{"direct": trusting(direct)},
			as:      presents(issue(t, direct, testca.Template{CommonName: "leaf"})), want: admitted("direct"),
		},
		"one intermediate may be presented": {
			clients: map[string]document{"one": trusting(one.Issuer)},
			as:      presents(issue(t, one, testca.Template{CommonName: "leaf"})), want: admitted("one"),
		},
		"two intermediates may be presented": {
			clients: map[string]document{"two": trusting(root)},
			as:      presents(issue(t, lower, testca.Template{CommonName: "leaf"})), want: admitted("two"),
		},
		"with the issuing CA in the store the leaf may come alone": {
			clients: map[string]document{"stored": trusting(stored)},
			as:      alone(issue(t, stored, testca.Template{CommonName: "leaf"})), want: admitted("stored"),
		},
		"with root and issuing CA in the store the leaf may come alone": {
			clients: map[string]document{"both": trusting(both.Issuer, both)},
			as:      alone(issue(t, both, testca.Template{CommonName: "leaf"})), want: admitted("both"),
		},
		"with only the root in the store the leaf may not come alone": {
			clients: map[string]document{"missing": trusting(missing.Issuer)},
			as:      alone(issue(t, missing, testca.Template{CommonName: "leaf"})), want: unauthenticated("client_unknown"),
		},
	}
}

func untimely(t *testing.T) map[string]credential {
	t.Helper()
	expired := selfSigned(t, testca.Template{CommonName: "expired", NotAfter: time.Now().Add(-time.Minute)})
	early := selfSigned(t, testca.Template{CommonName: "early", NotBefore: time.Now().Add(time.Hour)})
	server := selfSigned(t, testca.Template{CommonName: "server", ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	ca := authority(t, "Purpose CA")
	issuedServer := issue(t, ca, testca.Template{CommonName: "server", ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	outlived := authority(t, "Outlived CA")
	refuse := func(id string, trusted, shown *testca.Issued, reason string) credential {
		w := unauthenticated(reason)
		w.client = id
		return credential{clients: map[string]document{id: trusting(trusted)}, as: presents(shown), want: w}
	}
	return map[string]credential{
		"a pinned one that has expired is refused":      refuse("expired", expired, expired, "certificate_expired"),
		"a pinned one that is not yet valid is refused": refuse("early", early, early, "certificate_not_yet_valid"),
		"a pinned one for servers only is refused":      refuse("server", server, server, "certificate_purpose"),
		"one for servers only from the CA is refused":   refuse("purpose", ca, issuedServer, "certificate_purpose"),
		"one from the CA that has expired is refused":   refuse("outlived", outlived, issue(t, outlived, testca.Template{CommonName: "leaf", NotAfter: time.Now().Add(-time.Minute)}), "certificate_expired"),
	}
}

func forged(t *testing.T) map[string]credential {
	t.Helper()
	real := authority(t, "Partner CA")
	twin := twinOf(t, real, testca.Template{CommonName: "Partner CA", CA: true})
	other := authority(t, "Other CA")
	leaf := testca.Template{CommonName: "gateway.partner.example", DNSNames: []string{"gateway.partner.example"}}
	selfMade := leaf
	selfMade.ExtraExtensions = []pkix.Extension{keyIdentifierOf(t, real)}
	return map[string]credential{
		"one that the partner's CA issued is accepted": {
			clients: map[string]document{"partner": trusting(real).with("tlsClientAuth", map[string]any{"sanDns": "gateway.partner.example"})},
			as:      presents(issue(t, real, leaf)), want: admitted("partner"),
		},
		"one with the same names from another CA is unknown":                        {as: presents(issue(t, other, leaf)), want: unauthenticated("client_unknown")},
		"one with the same names from a CA of the same name and key id is unknown":  {as: presents(issue(t, twin, leaf)), want: unauthenticated("client_unknown")},
		"so it is with the twin of the CA presented beside it":                      {as: withChain(issue(t, twin, leaf), twin), want: unauthenticated("client_unknown")},
		"so it is with the partner's real CA presented beside it":                   {as: withChain(issue(t, twin, leaf), real), want: unauthenticated("client_unknown")},
		"a self-signed one with the names and the CA's key id is unknown":           {as: presents(selfSigned(t, selfMade)), want: unauthenticated("client_unknown")},
		"one of the partner's CA with another name than the client's is a mismatch": {as: presents(issue(t, real, testca.Template{CommonName: "gateway.partner.example", DNSNames: []string{"other.partner.example"}})), want: unauthenticated("subject_mismatch")},
	}
}

// twinOf makes another key under the name and the key identifier of a CA.
func twinOf(t *testing.T, ca *testca.Issued, template testca.Template) *testca.Issued {
	t.Helper()
	template.ExtraExtensions = []pkix.Extension{keyIdentifierOf(t, ca)}
	return selfSigned(t, template)
}

// keyIdentifierOf is the subjectKeyIdentifier (RFC 5280 section 4.2.1.2).
func keyIdentifierOf(t *testing.T, ca *testca.Issued) pkix.Extension {
	t.Helper()
	value, err := asn1.Marshal(ca.Certificate.SubjectKeyId)
	if err != nil {
		t.Fatal(err)
	}
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 14}, Value: value}
}

func withChain(leaf *testca.Issued, more ...*testca.Issued) *tls.Certificate {
	certificate := alone(leaf)
	for _, issued := range more {
		certificate.Certificate = append(certificate.Certificate, issued.Certificate.Raw)
	}
	return certificate
}

func ofEveryKey(t *testing.T) map[string]credential {
	t.Helper()
	cases := make(map[string]credential)
	for sentence, c := range map[string]struct {
		id        string
		kind      testca.KeyKind
		signature x509.SignatureAlgorithm
		want      want
	}{
		"an RSA key of 1024 bits is refused, pinned or not": {"rsa1024", testca.RSA1024, 0, unauthenticated("key_weak")},
		"an Ed25519 key is accepted":                        {"ed25519", testca.Ed25519, 0, admitted("ed25519")},
		"a P-384 key is accepted":                           {"p384", testca.P384, 0, admitted("p384")},
		"a P-521 key is accepted":                           {"p521", testca.P521, 0, admitted("p521")},
		"a SHA-1 signature is refused, pinned or not":       {"sha1", testca.RSA2048, x509.SHA1WithRSA, unauthenticated("signature_weak")},
	} {
		issued := selfSigned(t, testca.Template{CommonName: c.id, Key: keyOf(t, c.kind), SignatureAlgorithm: c.signature})
		c.want.client = c.id
		cases[sentence] = credential{clients: map[string]document{c.id: trusting(issued)}, as: presents(issued), want: c.want}
	}
	return cases
}

func contested(t *testing.T) map[string]credential {
	t.Helper()
	twice := selfSigned(t, testca.Template{CommonName: "twice"})
	ca := authority(t, "CA of both")
	off := issue(t, ca, testca.Template{CommonName: "off"})
	offCA := authority(t, "CA of one that is off")
	shared := authority(t, "CA of several")
	inactive := unauthenticated("client_inactive")
	inactive.client = "off"
	inactiveCA := unauthenticated("client_inactive")
	inactiveCA.client = "off-ca"
	return map[string]credential{
		"one that two clients pin is nobody's": {
			clients: map[string]document{"twice-a": trusting(twice), "twice-b": trusting(twice)},
			as:      presents(twice), want: unauthenticated("client_ambiguous"),
		},
		"one pinned by a client that is off is refused, though another trusts its CA": {
			clients: map[string]document{"off": trusting(off).with("status", "off"), "on": trusting(ca)},
			as:      presents(off), want: inactive,
		},
		"another of that CA is the active client's": {as: presents(issue(t, ca, testca.Template{CommonName: "on"})), want: admitted("on")},
		"one from the CA of a client that is off is refused": {
			clients: map[string]document{"off-ca": trusting(offCA).with("status", "off")},
			as:      presents(issue(t, offCA, testca.Template{CommonName: "leaf"})), want: inactiveCA,
		},
		"one from a CA that two clients trust without naming a subject is nobody's": {
			clients: map[string]document{"shared-a": trusting(shared), "shared-b": trusting(shared)},
			as:      presents(issue(t, shared, testca.Template{CommonName: "leaf"})), want: unauthenticated("anchor_shared_unbound"),
		},
	}
}

func rolledOver(t *testing.T) map[string]credential {
	t.Helper()
	before, after := selfSigned(t, testca.Template{CommonName: "rollover"}), selfSigned(t, testca.Template{CommonName: "rollover"})
	clients := map[string]document{"rollover": trusting(before, after)}
	return map[string]credential{
		"during a rollover the old one is accepted":           {clients: clients, as: presents(before), want: admitted("rollover")},
		"during a rollover the new one is accepted as itself": {clients: clients, as: presents(after), want: admitted("rollover")},
	}
}
