package peercert_test

import (
	"strings"
	"testing"

	"github.com/certbearer/certbearer/extauthz/peercert"
	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies/decision"
)

func TestXFCCTakesTheLeafFromTheOnlyElement(t *testing.T) {
	p := newPKI(t, testca.Template{})
	cert, whole := p.leaf.URLEncodedPEM(), chain(p.leaf, p.near, p.far)
	both := []*testca.Issued{p.near, p.far}
	for name, test := range map[string]struct {
		value string
		want  []*testca.Issued
	}{
		"Cert alone":                          {written{Cert: cert}.String(), nil},
		"Cert and Hash":                       {about(p.leaf).String(), nil},
		"Cert and Chain":                      {written{Cert: cert, Chain: whole}.String(), both},
		"Chain before Cert":                   {`Chain="` + whole + `";Cert="` + cert + `"`, both},
		"a proxy with a name of its own":      {written{By: "spiffe://mesh/ingress", Hash: hash(p.leaf), Cert: cert}.String(), nil},
		"Hash in capitals":                    {written{Hash: strings.ToUpper(hash(p.leaf)), Cert: cert}.String(), nil},
		"Hash in quotes":                      {`Hash="` + hash(p.leaf) + `";Cert="` + cert + `"`, nil},
		"keys in lower case":                  {"hash=" + hash(p.leaf) + `;cert="` + cert + `";chain="` + whole + `"`, both},
		"keys in capitals":                    {"HASH=" + hash(p.leaf) + `;CERT="` + cert + `";CHAIN="` + whole + `"`, both},
		"an empty URI, as Envoy writes none":  {p.full("URI=").String(), both},
		"an empty Subject":                    {p.full(`Subject=""`).String(), both},
		"two URI and two DNS":                 {p.full("URI=spiffe://x/a", "URI=https://x/b", "DNS=a.example", "DNS=b.example").String(), both},
		"everything that Envoy can write":     {p.full(`Subject="CN=client,O=Org"`, `Issuer="CN=Near"`, "URI=spiffe://x/a", "DNS=a.example").String(), both},
		"escaped quotes in Subject":           {p.full(`Subject="CN=a\"b\\,c"`).String(), both},
		"an escaped comma in Subject":         {p.full(`Subject="CN=client,O=Acme\, Inc."`).String(), both},
		"an escaped semicolon in Subject":     {p.full(`Subject="CN=a\;b"`).String(), both},
		"a backslash at the end of Subject":   {p.full(`Subject="CN=a\\"`, "URI=").String(), both},
		"a forged pair in Subject":            {p.full(`Subject="CN=\",Hash=00\;Cert=\"x\""`).String(), both},
		"bytes beyond ASCII in Subject":       {p.full("Subject=\"CN=Zo\xc3\xab\"").String(), both},
		"an equals sign in URI":               {p.full("URI=https://x/?a=b").String(), both},
		"a backslash in URI":                  {p.full(`URI=\\server\share`).String(), both},
		"a chain with the leaf alone":         {written{Cert: cert, Chain: cert}.String(), nil},
		"a chain that repeats certificates":   {written{Cert: cert, Chain: chain(p.leaf, p.near, p.leaf, p.near, p.far)}.String(), both},
		"a chain in another order":            {written{Cert: cert, Chain: chain(p.leaf, p.far, p.near)}.String(), []*testca.Issued{p.far, p.near}},
		"plus signs that are not escaped":     {strings.ReplaceAll(p.full().String(), "%2B", "+"), both},
		"escapes in lower case":               {lowerEscapes(p.full().String()), both},
		"CRLF line breaks, escaped":           {strings.ReplaceAll(p.full().String(), "%0A", "%0D%0A"), both},
		"more white space between the blocks": {written{Cert: cert, Chain: chain(p.leaf) + "%0A%20" + chain(p.near, p.far)}.String(), both},
	} {
		t.Run(name, func(t *testing.T) {
			wantEvidence(t, newReader(t, peercert.XFCC, 0), presented("", test.value), p.leaf, test.want...)
			wantEvidence(t, newReader(t, peercert.Peer, 0), presented(cert, test.value), p.leaf, test.want...)
			wantEvidence(t, newReader(t, peercert.XFCC, 1), presented("", test.value), p.leaf, test.want...)
		})
	}
}

func TestXFCCDoesNotReadSourceCertificate(t *testing.T) {
	p := newPKI(t, testca.Template{})
	wantEvidence(t, newReader(t, peercert.XFCC, 0), presented(p.stranger.URLEncodedPEM(), about(p.leaf).String()), p.leaf)
	wantRefusal(t, newReader(t, peercert.XFCC, 0), presented(p.leaf.URLEncodedPEM()),
		refusal{decision.CertificateMissing, header})
	wantRefusal(t, newReader(t, peercert.XFCC, 0), peercert.Presented{},
		refusal{decision.CertificateMissing, header})
}

func TestXFCCRefusesEvidenceThatDoesNotHold(t *testing.T) {
	p := newPKI(t, testca.Template{})
	cert, other := p.leaf.URLEncodedPEM(), p.stranger
	for name, test := range map[string]struct {
		value  string
		reason decision.Reason
		field  string
	}{
		"Hash alone":                            {written{Hash: hash(p.leaf)}.String(), decision.XFCCCertificateMissing, " element 1"},
		"names alone":                           {`Subject="CN=client";URI=spiffe://x`, decision.XFCCCertificateMissing, " element 1"},
		"Chain alone":                           {written{Chain: chain(p.leaf, p.near)}.String(), decision.XFCCCertificateMissing, " element 1"},
		"Chain and its Hash, but no Cert":       {written{Hash: hash(p.leaf), Chain: chain(p.leaf)}.String(), decision.XFCCCertificateMissing, " element 1"},
		"a rogue leaf before a trusted one":     {written{Chain: chain(other, p.leaf)}.String(), decision.XFCCCertificateMissing, " element 1"},
		"Hash of another":                       {written{Hash: hash(other), Cert: cert}.String(), decision.XFCCHashMismatch, " element 1 pair 1"},
		"an empty Hash":                         {`Hash=;Cert="` + cert + `"`, decision.XFCCHashMismatch, " element 1 pair 1"},
		"half a Hash":                           {written{Hash: hash(p.leaf)[:32], Cert: cert}.String(), decision.XFCCHashMismatch, " element 1 pair 1"},
		"a Hash and two digits more":            {written{Hash: hash(p.leaf) + "00", Cert: cert}.String(), decision.XFCCHashMismatch, " element 1 pair 1"},
		"a Hash behind Cert that is wrong":      {`Cert="` + cert + `";Hash=` + hash(other), decision.XFCCHashMismatch, " element 1 pair 2"},
		"a chain of another":                    {written{Cert: cert, Chain: chain(other, p.near)}.String(), decision.ChainLeafMismatch, " element 1 pair 2"},
		"a chain turned round":                  {written{Cert: cert, Chain: chain(p.far, p.near, p.leaf)}.String(), decision.ChainLeafMismatch, " element 1 pair 2"},
		"a chain without its leaf":              {written{Cert: cert, Chain: chain(p.near, p.far)}.String(), decision.ChainLeafMismatch, " element 1 pair 2"},
		"an empty Cert":                         {`Cert=""`, decision.CertificateMalformed, " element 1 pair 1"},
		"an empty Chain":                        {written{Cert: cert}.String() + `;Chain=""`, decision.CertificateMalformed, " element 1 pair 2"},
		"two certificates in Cert":              {written{Cert: chain(p.leaf, p.near)}.String(), decision.CertificateMalformed, " element 1 pair 1"},
		"a certificate cut short in Cert":       {written{Cert: escapePEM("CERTIFICATE", p.leaf.Certificate.Raw[:99], nil)}.String(), decision.CertificateMalformed, " element 1 pair 1"},
		"an intermediate cut short":             {written{Cert: cert, Chain: cert + escapePEM("CERTIFICATE", p.near.Certificate.Raw[:99], nil)}.String(), decision.CertificateMalformed, " element 1 pair 2 certificate 2"},
		"a key in the chain":                    {written{Cert: cert, Chain: cert + escapePEM("PRIVATE KEY", p.near.Certificate.Raw, nil)}.String(), decision.CertificateMalformed, " element 1 pair 2"},
		"garbage between the blocks of a chain": {written{Cert: cert, Chain: chain(p.leaf) + "x" + chain(p.near)}.String(), decision.CertificateMalformed, " element 1 pair 2"},
		"blocks on one line":                    {written{Cert: cert, Chain: strings.TrimSuffix(cert, "%0A") + chain(p.near)}.String(), decision.CertificateMalformed, " element 1 pair 2"},
		"spaces as plus signs":                  {written{Cert: strings.ReplaceAll(cert, "%20", "+")}.String(), decision.CertificateMalformed, " element 1 pair 1"},
		"a percent sign without digits":         {written{Cert: cert + "%zz"}.String(), decision.CertificateMalformed, " element 1 pair 1"},
		"an escaped NUL in Cert":                {written{Cert: cert + "%00"}.String(), decision.CertificateMalformed, " element 1 pair 1"},
		"a backslash in Cert":                   {written{Cert: cert + `\\`}.String(), decision.CertificateMalformed, " element 1 pair 1"},
		"Cert behind a URI":                     {`URI=spiffe://x;Cert="` + cert + `"`, decision.XFCCAmbiguousSAN, " element 1 pair 2"},
		"Hash behind a DNS":                     {written{Cert: cert}.String() + ";DNS=x;Hash=" + hash(p.leaf), decision.XFCCAmbiguousSAN, " element 1 pair 3"},
		"Chain behind a URI":                    {written{Cert: cert}.String() + `;URI=;Chain="` + cert + `"`, decision.XFCCAmbiguousSAN, " element 1 pair 3"},
	} {
		t.Run(name, func(t *testing.T) {
			want := refusal{test.reason, header + test.field}
			wantRefusal(t, newReader(t, peercert.XFCC, 0), presented("", test.value), want)
			if !strings.Contains(test.value, "URI") {
				wantRefusal(t, newReader(t, peercert.XFCC, 1), presented("", test.value), want)
			}
		})
	}
}

func TestXFCCWithoutHopsWantsExactlyOneElement(t *testing.T) {
	p := newPKI(t, testca.Template{})
	evil, honest := about(p.stranger).String(), p.full().String()
	wrongCount := refusal{decision.XFCCElementCount, header}
	for name, test := range map[string]struct {
		values []string
		want   refusal
	}{
		"a client's element before the proxy's": {[]string{evil + "," + honest}, wrongCount},
		"an element behind the proxy's":         {[]string{honest + "," + evil}, wrongCount},
		"the same element twice":                {[]string{honest + "," + honest}, wrongCount},
		"a second header value":                 {[]string{evil, honest}, wrongCount},
		"ten elements":                          {[]string{strings.Repeat("By=,", 9) + "By="}, wrongCount},
		"eleven elements":                       {[]string{strings.Repeat("By=,", 10) + "By="}, wrongCount},
		"an empty header":                       {[]string{""}, refusal{decision.XFCCMalformed, header + " element 1 pair 1"}},
		"an empty second header value":          {[]string{honest, ""}, refusal{decision.XFCCMalformed, header + " element 2 pair 1"}},
		"a comma at the end":                    {[]string{honest + ","}, refusal{decision.XFCCMalformed, header + " element 2 pair 1"}},
		"a comma at the beginning":              {[]string{"," + honest}, refusal{decision.XFCCMalformed, header + " element 1 pair 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			wantRefusal(t, newReader(t, peercert.XFCC, 0), presented("", test.values...), test.want)
		})
	}
}
