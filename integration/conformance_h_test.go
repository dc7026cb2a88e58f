package integration_test

import (
	"net/http"
	"testing"

	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"

	"github.com/certbearer/certbearer/extauthz/testca"
)

func conformanceH(t *testing.T, s *stand) {
	lab := presents(s.lab)
	clientCert := http.Header{"Client-Cert": {":" + standardBase64(s.lab) + ":"}}
	otherwise(t, "H1 Client-Cert is not read yet", func(t *testing.T) {
		s.expect(t, ask{path: "/rest", header: clientCert}, unauthenticated("certificate_missing"))
	})
	otherwise(t, "H2 Client-Cert-Chain is not read yet", func(t *testing.T) {
		s.expect(t, ask{path: "/rest", header: http.Header{"Client-Cert-Chain": clientCert["Client-Cert"]}}, unauthenticated("certificate_missing"))
	})
	holds(t, "H3 a caller's own copies reach nobody", func(t *testing.T) {
		header := http.Header{"Client-Cert": clientCert["Client-Cert"], "Client-Cert-Chain": clientCert["Client-Cert"]}
		got, _ := s.expect(t, ask{path: "/rest", as: lab, header: header}, admitted("lab"))
		for _, r := range got.received {
			if len(r.Header["Client-Cert"])+len(r.Header["Client-Cert-Chain"]) > 0 {
				t.Errorf("the upstream received %v", r.Header)
			}
		}
		s.refuses(t, posted{form: granting("lab"), header: header}, http.StatusUnauthorized, "invalid_client")
	})
	otherwise(t, "H4 no answer depends on Client-Cert; those of ours are not stored", func(t *testing.T) {
		if caching := s.ask(t, ask{path: "/rest", header: clientCert}).header.Get("Cache-Control"); caching != "no-store" {
			t.Errorf("Cache-Control is %q", caching)
		}
	})
	f := s.forwarding
	holds(t, "H5 of x-forwarded-client-cert one element counts, and all of it has to be right", f.h5)
	holds(t, "H6 names in x-forwarded-client-cert identify nobody", func(t *testing.T) {
		for _, names := range []string{
			"URI=spiffe://td/lab;DNS=lab.example", `Subject="CN=lab"`,
			`URI=spiffe://x,Hash=` + hashOf(f.lab) + `;Cert="` + f.lab.URLEncodedPEM() + `"`,
		} {
			value := `Cert="` + f.other.URLEncodedPEM() + `";` + names
			got := f.ask(t, ask{path: "/rest", header: http.Header{"X-Forwarded-Client-Cert": {value}}})
			if r := f.world.record(t, got.id); r.Client == "lab" {
				t.Errorf("%s: the record is %+v", names, r)
			}
		}
	})
	holds(t, "H7 by default the certificate is the one that Envoy's check names", func(t *testing.T) {
		header := http.Header{"X-Forwarded-Client-Cert": {`Cert="` + s.other.URLEncodedPEM() + `"`}}
		through := s.world.envoy(noEarlyRemoval(), alwaysForward())
		through.expect(t, ask{path: "/rest", as: lab}, admitted("lab"))
		// It says something else than the header, and then neither is believed.
		through.expect(t, ask{path: "/rest", as: lab, header: header}, unauthenticated("chain_leaf_mismatch"))
		through.expect(t, ask{path: "/rest", header: header}, unauthenticated("certificate_missing"))
	})
}

// forwarding is a certbearer that reads x-forwarded-client-cert, and an Envoy that
// hands on whatever header it gets, as the last of several proxies does.
type forwarding struct {
	*gate
	lab, other *testca.Issued
}

func openForwarding(t *testing.T) *forwarding {
	t.Helper()
	f := &forwarding{lab: selfSigned(t, testca.Template{CommonName: "lab"}), other: selfSigned(t, testca.Template{CommonName: "other"})}
	w := open(t, plan{settings: "certificate: {from: xfcc}", clients: map[string]document{"lab": trusting(f.lab), "other": trusting(f.other)}})
	f.gate = w.envoy(alwaysForward())
	return f
}

// alwaysForward is an Envoy behind another one, which it believes.
func alwaysForward() change {
	return manager(func(_ *testing.T, m *hcmv3.HttpConnectionManager) {
		m.ForwardClientCertDetails = hcmv3.HttpConnectionManager_ALWAYS_FORWARD_ONLY
	})
}

func (f *forwarding) h5(t *testing.T) {
	cert, hash := `Cert="`+f.lab.URLEncodedPEM()+`"`, "Hash="+hashOf(f.lab)
	for sentence, c := range map[string]struct {
		values []string
		reason string
	}{
		"one element":                  {[]string{hash + ";" + cert}, allowed},
		"names, several of a kind":     {[]string{"By=x;By=y;" + hash + ";" + cert + ";URI=a;URI=b;DNS=c;DNS=d"}, allowed},
		"a quoted pair":                {[]string{`Subject="CN=\"lab\", O=\\";` + cert}, allowed},
		"keys in other letters":        {[]string{"hash=" + hashOf(f.lab) + ";CERT=" + cert[len("Cert="):]}, allowed},
		"two elements":                 {[]string{hash + ";" + cert + "," + hash + ";" + cert}, "xfcc_element_count"},
		"two headers":                  {[]string{hash + ";" + cert, hash + ";" + cert}, "xfcc_element_count"},
		"the hash of another":          {[]string{"Hash=" + hashOf(f.other) + ";" + cert}, "xfcc_hash_mismatch"},
		"two hashes":                   {[]string{hash + ";" + hash + ";" + cert}, "xfcc_duplicate_field"},
		"two certificates":             {[]string{cert + ";" + cert}, "xfcc_duplicate_field"},
		"two subjects":                 {[]string{`Subject="a";Subject="b";` + cert}, "xfcc_duplicate_field"},
		"a quote that is never closed": {[]string{`Subject="CN=lab;` + cert[:20]}, "xfcc_malformed"},
		"no certificate":               {[]string{hash}, "xfcc_certificate_missing"},
	} {
		t.Run(sentence, func(t *testing.T) {
			got := f.ask(t, ask{path: "/rest", header: http.Header{"X-Forwarded-Client-Cert": c.values}})
			if r := f.world.record(t, got.id); r.Reason != c.reason || c.reason == allowed && r.Client != "lab" {
				t.Errorf("the record is %+v, want %s", r, c.reason)
			}
		})
	}
}

// hashOf is Envoy's Hash of a certificate.
func hashOf(issued *testca.Issued) string {
	sum := issued.Thumbprint()
	return hexOf(sum[:])
}
