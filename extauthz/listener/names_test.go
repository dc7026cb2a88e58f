package listener_test

import (
	"crypto/x509"
	"net/url"
	"strings"
	"testing"

	"github.com/certbearer/certbearer/extauthz/listener"
)

func TestNameMatches(t *testing.T) {
	for name, test := range map[string]struct {
		listed string
		leaf   names
		want   bool
	}{
		"the same URI":                                  {envoyID, names{uris: []string{envoyID}}, true},
		"the same URI beside DNS names":                 {envoyID, names{dns: []string{"x"}, uris: []string{envoyID}}, true},
		"another path":                                  {envoyID, names{uris: []string{envoyID + "/x"}}, false},
		"another case of the path":                      {envoyID, names{uris: []string{"spiffe://example.org/Envoy"}}, false},
		"another trust domain":                          {envoyID, names{uris: []string{"spiffe://example.com/envoy"}}, false},
		"a URI with a query":                            {envoyID, names{uris: []string{envoyID + "?x"}}, false},
		"the URI as a DNS name":                         {envoyID, names{dns: []string{envoyID}}, false},
		"two URIs, of which one is listed":              {envoyID, names{uris: []string{envoyID, "spiffe://example.org/x"}}, false},
		"the same DNS name":                             {"dns:envoy.example.org", names{dns: []string{"a", "envoy.example.org"}}, true},
		"a bare DNS name":                               {"envoy.example.org", names{dns: []string{"envoy.example.org"}}, true},
		"a DNS name in other letters":                   {"Envoy.example.org", names{dns: []string{"eNVOY.example.org"}}, true},
		"a name below":                                  {"example.org", names{dns: []string{"envoy.example.org"}}, false},
		"a certificate's wildcard is no name":           {"envoy.example.org", names{dns: []string{"*.example.org"}}, false},
		"a certificate without names":                   {"envoy.example.org", names{}, false},
		"a DNS name in the place of a URI":              {"envoy.example.org", names{uris: []string{"spiffe://envoy.example.org"}}, false},
		"a certificate with an empty name and no other": {"envoy.example.org", names{dns: []string{""}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			listed, err := listener.ParseName(test.listed)
			if err != nil {
				t.Fatal(err)
			}
			if got := listed.Matches(leafWith(t, test.leaf)); got != test.want {
				t.Errorf("Matches = %v, want %v", got, test.want)
			}
		})
	}
	if (listener.Name{}).Matches(leafWith(t, names{dns: []string{""}})) {
		t.Error("the zero Name matches")
	}
}

func leafWith(t *testing.T, n names) *x509.Certificate {
	t.Helper()
	leaf := &x509.Certificate{DNSNames: n.dns}
	for _, text := range n.uris {
		uri, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		leaf.URIs = append(leaf.URIs, uri)
	}
	return leaf
}

func TestParseNameRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":                  "",
		"nothing after the prefix": "dns:",
		"a wildcard":               "*.example.org",
		"an address":               "10.0.0.1",
		"a label that is too long": strings.Repeat("a", 64) + ".org",
		"a name that is too long":  strings.Repeat("a.", 127) + "org",
		"an empty label":           "a..org",
		"a closing dot":            "a.org.",
		"a hyphen at the edge":     "-a.org",
		"other letters":            "exämple.org",
		"a URI without a host":     "spiffe:///envoy",
		"a URI with a query":       "spiffe://example.org/envoy?x=1",
		"a URI with a fragment":    "spiffe://example.org/envoy#x",
		"a URI with a user":        "spiffe://user@example.org/envoy",
		"an unusual escape":        "spiffe://example.org/a b",
		"a scheme in capitals":     "SPIFFE://example.org/envoy",
		"a URI that is too long":   "spiffe://example.org/" + strings.Repeat("a", 2048),
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := listener.ParseName(text); err == nil {
				t.Errorf("ParseName(%q) = %v", text, got)
			}
		})
	}
}

func FuzzParseName(f *testing.F) {
	for _, seed := range []string{envoyID, "dns:a.b", "A.b", "*.a", "spiffe://a?b", "x://%41/", "10.0.0.1", "https://[::1]/"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		name, err := listener.ParseName(text)
		if err != nil {
			return
		}
		again, err := listener.ParseName(name.String())
		if err != nil || again != name {
			t.Errorf("%q: reads back as %v, %v", text, again, err)
		}
		if name.Matches(&x509.Certificate{DNSNames: []string{"", "other.invalid"}}) && name.String() != "dns:other.invalid" {
			t.Errorf("%q matches a stranger", text)
		}
	})
}
