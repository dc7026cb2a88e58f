package peercert_test

import (
	"strings"
	"testing"

	"github.com/certbearer/certbearer/extauthz/peercert"
	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies/decision"
)

func TestTheGrammarHasNoLenientSpot(t *testing.T) {
	p := newPKI(t, testca.Template{})
	honest := about(p.leaf).String()
	cert := p.leaf.URLEncodedPEM()
	for name, test := range map[string]struct {
		value string
		pair  string
	}{
		"no equals sign":                       {honest + ";URI", " element 1 pair 3"},
		"no key":                               {honest + ";=x", " element 1 pair 3"},
		"an empty pair":                        {strings.Replace(honest, ";", ";;", 1), " element 1 pair 2"},
		"a semicolon at the end":               {honest + ";", " element 1 pair 3"},
		"a semicolon at the beginning":         {";" + honest, " element 1 pair 1"},
		"a space behind a semicolon":           {strings.Replace(honest, ";", "; ", 1), " element 1 pair 2"},
		"a space before an equals sign":        {honest + ";URI =x", " element 1 pair 3"},
		"an unknown key":                       {honest + ";Email=x", " element 1 pair 3"},
		"a key that goes on":                   {honest + ";Certs=x", " element 1 pair 3"},
		"a long key":                           {honest + ";" + strings.Repeat("a", 100) + "=", " element 1 pair 3"},
		"a key in quotes":                      {honest + `;"URI"=x`, " element 1 pair 3"},
		"a letter that Unicode folds to one":   {honest + ";UR\u0130=x", " element 1 pair 3"},
		"a letter that Unicode folds to s":     {strings.Replace(honest, "Hash", "Ha\u017fh", 1), " element 1 pair 1"},
		"a quote that is not closed":           {honest + `;Subject="CN=x`, " element 1 pair 3"},
		"a quote closed by an escaped one":     {honest + `;Subject="CN=x\"`, " element 1 pair 3"},
		"a backslash at the end":               {honest + `;Subject="CN=x\`, " element 1 pair 3"},
		"an odd number of backslashes":         {honest + `;Subject="CN=x\\\"`, " element 1 pair 3"},
		"a semicolon in quotes, not escaped":   {honest + `;Subject="CN=a;b"`, " element 1 pair 3"},
		"a semicolon behind an escape":         {honest + `;Subject="CN=\,a;b"`, " element 1 pair 3"},
		"something behind a closing quote":     {honest + `;Subject="CN=x"y`, " element 1 pair 3"},
		"a space behind a closing quote":       {honest + " ", " element 1 pair 2"},
		"two quoted values in a row":           {honest + `""`, " element 1 pair 2"},
		"a quote in a value without quotes":    {honest + `;URI=spiffe://"x`, " element 1 pair 3"},
		"a quote at the end of a value":        {honest + `;URI=x"`, " element 1 pair 3"},
		"Cert without quotes":                  {"Cert=" + cert, " element 1 pair 1"},
		"Chain without quotes":                 {honest + ";Chain=" + cert, " element 1 pair 3"},
		"a Cert without quotes and value":      {"Cert=", " element 1 pair 1"},
		"single quotes":                        {"Cert='" + cert + "'", " element 1 pair 1"},
		"JSON":                                 {`[{"Hash":"` + hash(p.leaf) + `"}]`, " element 1 pair 1"},
		"a NUL":                                {honest + ";URI=\x00", ""},
		"a NUL at the end":                     {honest + "\x00", ""},
		"a line break in a name":               {honest + ";URI=x\r\ny", ""},
		"a line break in Cert, not escaped":    {strings.ReplaceAll(honest, "%0A", "\n"), ""},
		"a CRLF line break, not escaped":       {strings.ReplaceAll(honest, "%0A", "\r\n"), ""},
		"a tab":                                {honest + ";URI=\t", ""},
		"a DEL":                                {honest + ";URI=\x7f", ""},
		"a control character in quotes":        {honest + ";Subject=\"\x1f\"", ""},
		"a fault in the second of two":         {honest + ",Hash", " element 2 pair 1"},
		"a fault behind a forged second Cert":  {honest + `,Cert="";x`, " element 2 pair 2"},
		"an escape for the key, as in a query": {honest + ";%55RI=x", " element 1 pair 3"},
	} {
		t.Run(name, func(t *testing.T) {
			want := refusal{decision.XFCCMalformed, header + test.pair}
			wantRefusal(t, newReader(t, peercert.XFCC, 0), presented("", test.value), want)
			wantRefusal(t, newReader(t, peercert.XFCC, 1), presented("", test.value), want)
			wantRefusal(t, newReader(t, peercert.Peer, 0), presented(cert, test.value), want)
		})
	}
}

func TestAFieldThatStandsOnceMayNotStandTwice(t *testing.T) {
	p := newPKI(t, testca.Template{})
	honest := written{
		By: "spiffe://mesh/ingress", Hash: hash(p.leaf), Cert: p.leaf.URLEncodedPEM(), Chain: chain(p.leaf),
		Names: []string{`Subject="CN=client"`, `Issuer="CN=Near"`},
	}.String()
	wantEvidence(t, newReader(t, peercert.XFCC, 0), presented("", honest), p.leaf)
	for name, again := range map[string]string{
		"By":                  "By=spiffe://mesh/other",
		"an empty By":         "By=",
		"Hash":                "Hash=" + hash(p.leaf),
		"Cert":                `Cert="` + p.leaf.URLEncodedPEM() + `"`,
		"Cert without quotes": "Cert=",
		"Chain":               `Chain="` + chain(p.leaf) + `"`,
		"Subject":             `Subject="CN=client"`,
		"Issuer":              `Issuer="CN=Near"`,
		"Hash in capitals":    "HASH=" + hash(p.leaf),
	} {
		t.Run(name, func(t *testing.T) {
			want := refusal{decision.XFCCDuplicateField, header + " element 1 pair 7"}
			wantRefusal(t, newReader(t, peercert.XFCC, 0), presented("", honest+";"+again), want)
			wantRefusal(t, newReader(t, peercert.XFCC, 2), presented("", honest+";"+again, honest), want)
		})
	}
}

// Envoy 1.40 writes a By for each URI name of its own certificate (measured).
func TestAProxyWithTwoURINamesIsUnderstood(t *testing.T) {
	p := newPKI(t, testca.Template{})
	rest := "Hash=" + hash(p.leaf) + `;Cert="` + p.leaf.URLEncodedPEM() + `"`
	for name, value := range map[string]string{
		"two":   "By=spiffe://a/one;By=spiffe://a/two;" + rest,
		"three": "By=spiffe://a/one;By=spiffe://a/two;By=;" + rest,
	} {
		t.Run(name, func(t *testing.T) {
			wantEvidence(t, newReader(t, peercert.XFCC, 0), presented("", value), p.leaf)
			wantEvidence(t, newReader(t, peercert.Peer, 0), presented(p.leaf.URLEncodedPEM(), value), p.leaf)
		})
	}
	wantRefusal(t, newReader(t, peercert.XFCC, 0), presented("", "By=spiffe://a/one;Hash="+hash(p.leaf)+";By=spiffe://a/two"),
		refusal{decision.XFCCDuplicateField, header + " element 1 pair 3"})
}
