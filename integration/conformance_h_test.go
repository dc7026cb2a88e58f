package integration_test

import (
	"net/http"
	"os"
	"strings"
	"testing"

	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz/testca"
)

func conformanceH(t *testing.T, s *stand) {
	lab, c := presents(s.lab), openClientCert(t)
	clientCert := http.Header{"Client-Cert": {":" + standardBase64(s.lab) + ":"}}
	holds(t, "H1 Client-Cert is the DER of the proven leaf between colons, written and read", c.h1)
	holds(t, "H2 Client-Cert-Chain has the others in their order, in one line or several", c.h2)
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
	otherwise(t, "H4 no answer of ours depends on Client-Cert, and none is stored", func(t *testing.T) {
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

// clientCert is a certbearer that reads Client-Cert and hands it on, and an Envoy
// that lets it in, as behind a proxy that writes it.
type clientCert struct {
	*gate
	lab, near, stranger *testca.Issued
}

func openClientCert(t *testing.T) *clientCert {
	t.Helper()
	root := authority(t, "Root")
	far := issue(t, root, testca.Template{CommonName: "Far", CA: true})
	c := &clientCert{near: issue(t, far, testca.Template{CommonName: "Near", CA: true}), stranger: selfSigned(t, testca.Template{CommonName: "lab"})}
	c.lab = issue(t, c.near, testca.Template{CommonName: "lab"})
	w := prepare(t, plan{settings: "inject: {clientCert: rfc9440}", clients: map[string]document{"lab": trusting(root)}})
	rendered, err := os.ReadFile(w.config) // what has no Envoy rendered from it is only for certbearer
	if err != nil {
		t.Fatal(err)
	}
	editSettings(t, w.config, parseSettings(t, "certificate: {from: header, format: rfc9440}"))
	w.start()
	if err := os.WriteFile(w.config, rendered, 0o600); err != nil {
		t.Fatal(err)
	}
	c.gate = w.envoy(noEarlyRemoval())
	return c
}

// sends asks with the headers and wants the reason; what reaches the upstream is
// the leaf that was read, and no chain.
func (c *clientCert) sends(t *testing.T, header http.Header, reason string) {
	t.Helper()
	got := c.ask(t, ask{path: "/rest", header: header})
	if r := c.world.record(t, got.id); r.Reason != reason || reason == allowed && (r.Client != "lab" || r.Thumbprint != thumbprint(presents(c.lab))) {
		t.Errorf("%.200v: the record is %+v, want %s", header, r, reason)
	}
	if received := len(got.received) == 1; received != (reason == allowed) {
		t.Errorf("the upstream received %d requests", len(got.received))
	}
	for _, r := range got.received {
		if diff := cmp.Diff([]string{":" + standardBase64(c.lab) + ":"}, r.Header["Client-Cert"]); diff != "" || len(r.Header["Client-Cert-Chain"]) > 0 {
			t.Errorf("Client-Cert at the upstream (-want +got):\n%s\nand the chain %q", diff, r.Header["Client-Cert-Chain"])
		}
	}
}

func (c *clientCert) h1(t *testing.T) {
	lab, far := standardBase64(c.lab), standardBase64(c.near.Issuer)
	chain := ":" + standardBase64(c.near) + ":, :" + far + ":"
	for value, reason := range map[string]string{
		":" + lab + ":":                        allowed,
		":" + standardBase64(c.stranger) + ":": "client_unknown",
		lab:                                    "certificate_malformed",
		":" + lab + ":;a=1":                    "certificate_malformed",
		":" + lab + ":, :" + lab + ":":         "certificate_malformed",
		":" + strings.TrimSuffix(lab, "=") + "x=:":  "certificate_malformed",
		":" + c.lab.URLEncodedPEM() + ":":           "certificate_malformed",
		":" + standardBase64(c.lab)[:100] + ":":     "certificate_malformed",
		"::":                                        "certificate_missing",
		":" + lab + ":,:" + far + ":;" + lab + "::": "certificate_malformed",
	} {
		c.sends(t, http.Header{"Client-Cert": {value}, "Client-Cert-Chain": {chain}}, reason)
	}
	c.sends(t, http.Header{}, "certificate_missing")
}

func (c *clientCert) h2(t *testing.T) {
	leaf := []string{":" + standardBase64(c.lab) + ":"}
	near, far := ":"+standardBase64(c.near)+":", ":"+standardBase64(c.near.Issuer)+":"
	for sentence, s := range map[string]struct {
		lines  []string
		reason string
	}{
		"in one line":                 {[]string{near + ", " + far}, allowed},
		"in two lines":                {[]string{near, far}, allowed},
		"with the leaf":               {[]string{leaf[0] + "," + near + "," + far}, allowed},
		"without one that is needed":  {[]string{near}, "client_unknown"},
		"none":                        {nil, "client_unknown"},
		"with something that is none": {[]string{near + ", x"}, "certificate_malformed"},
	} {
		t.Run(sentence, func(t *testing.T) {
			c.sends(t, http.Header{"Client-Cert": leaf, "Client-Cert-Chain": s.lines}, s.reason)
		})
	}
	c.sends(t, http.Header{"Client-Cert-Chain": {near + ", " + far}}, "certificate_missing")
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
