package peercert_test

import (
	"encoding/pem"
	"slices"
	"strings"
	"testing"

	"github.com/certbearer/certbearer/extauthz/peercert"
	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies/decision"
)

func TestXFCCAsJSONIsRead(t *testing.T) {
	p := newPKI(t, testca.Template{})
	both := []*testca.Issued{p.near, p.far}
	whole := inJSON(p.leaf, p.near, p.far)
	everything := whole
	everything.By, everything.Subject, everything.Issuer = []string{"spiffe://proxy/one", "spiffe://proxy/two"}, `CN=client,O=Acme\, "Inc"`, "CN=Near"
	everything.URI, everything.DNS = []string{"spiffe://x/a", `spiffe://x/;b"\Cert=`}, []string{"a.example", "b,c;d"}
	repeated := inJSON(p.leaf, p.near, p.leaf, p.near, p.far)
	upper := whole
	upper.Hash = strings.ToUpper(whole.Hash)
	for sentence, c := range map[string]struct {
		value string
		want  []*testca.Issued
	}{
		"cert alone":                        {array(writtenJSON{Cert: string(p.leaf.PEM())}), nil},
		"cert and hash":                     {array(inJSON(p.leaf)), nil},
		"cert and chain":                    {array(whole), both},
		"everything that Envoy can write":   {array(everything), both},
		"a hash in capitals":                {array(upper), both},
		"a chain that repeats certificates": {array(repeated), both},
		"a chain in another order":          {array(inJSON(p.leaf, p.far, p.near)), []*testca.Issued{p.far, p.near}},
		"members in another order":          {strings.Replace(array(whole), `[{"hash":"`+whole.Hash+`",`, `[{"uri":["x"],"hash":"`+whole.Hash+`",`, 1), both},
		"no names in their arrays":          {strings.Replace(array(whole), `[{`, `[{"by":[],"uri":[],"dns":[],`, 1), both},
		"spaces between":                    {strings.Replace(array(whole), `[{`, `[ { `, 1), both},
		"escapes that are not needed":       {strings.ReplaceAll(array(whole), "B", `\u0042`), both},
	} {
		t.Run(sentence, func(t *testing.T) {
			for hops := range 2 {
				wantEvidence(t, newReader(t, peercert.XFCC, hops), presented("", c.value), p.leaf, c.want...)
				wantEvidence(t, newReader(t, peercert.Peer, hops), presented(p.leaf.URLEncodedPEM(), c.value), p.leaf, c.want...)
			}
		})
	}
}

func TestXFCCAsJSONIsHeldToTheRulesOfText(t *testing.T) {
	p := newPKI(t, testca.Template{})
	honest, other, cert := inJSON(p.leaf), inJSON(p.stranger), string(p.leaf.PEM())
	with := func(change func(*writtenJSON)) string {
		w := inJSON(p.leaf, p.near)
		change(&w)
		return array(w)
	}
	key, err := p.leaf.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	for sentence, c := range map[string]struct {
		value  string
		reason decision.Reason
		field  string
	}{
		"no element":                     {"[]", decision.XFCCElementCount, ""},
		"two elements":                   {array(other, honest), decision.XFCCElementCount, ""},
		"chain alone":                    {with(func(w *writtenJSON) { w.Cert, w.Hash = "", "" }), decision.XFCCCertificateMissing, " element 1"},
		"hash and chain":                 {with(func(w *writtenJSON) { w.Cert = "" }), decision.XFCCCertificateMissing, " element 1"},
		"names alone":                    {`[{"subject":"CN=client","uri":["spiffe://x"]}]`, decision.XFCCCertificateMissing, " element 1"},
		"an empty element":               {"[{}]", decision.XFCCCertificateMissing, " element 1"},
		"a hash of another":              {with(func(w *writtenJSON) { w.Hash = other.Hash }), decision.XFCCHashMismatch, " element 1 pair 1"},
		"an empty hash":                  {strings.Replace(array(honest), honest.Hash, "", 1), decision.XFCCHashMismatch, " element 1 pair 1"},
		"half a hash":                    {with(func(w *writtenJSON) { w.Hash = w.Hash[:32] }), decision.XFCCHashMismatch, " element 1 pair 1"},
		"a chain of another":             {with(func(w *writtenJSON) { w.Chain[0] = other.Cert }), decision.ChainLeafMismatch, " element 1 pair 3"},
		"a chain without its leaf":       {with(func(w *writtenJSON) { w.Chain = w.Chain[1:] }), decision.ChainLeafMismatch, " element 1 pair 3"},
		"an empty chain":                 {`[{"cert":` + quote(cert) + `,"chain":[]}]`, decision.CertificateMalformed, " element 1 pair 2"},
		"an empty string in the chain":   {with(func(w *writtenJSON) { w.Chain[1] = "" }), decision.CertificateMalformed, " element 1 pair 3"},
		"two blocks in one string":       {with(func(w *writtenJSON) { w.Chain[1] += w.Chain[1] }), decision.CertificateMalformed, " element 1 pair 3"},
		"an empty cert":                  {`[{"cert":""}]`, decision.CertificateMalformed, " element 1 pair 1"},
		"two certificates in cert":       {with(func(w *writtenJSON) { w.Cert += w.Cert }), decision.CertificateMalformed, " element 1 pair 2"},
		"URL-encoded PEM":                {with(func(w *writtenJSON) { w.Cert = p.leaf.URLEncodedPEM() }), decision.CertificateMalformed, " element 1 pair 2"},
		"a private key":                  {with(func(w *writtenJSON) { w.Cert = string(key) }), decision.CertificateMalformed, " element 1 pair 2"},
		"a private key in the chain":     {with(func(w *writtenJSON) { w.Chain[1] = string(key) }), decision.CertificateMalformed, " element 1 pair 3"},
		"PEM in bare base64":             {with(func(w *writtenJSON) { w.Cert = base64DER(p.leaf) }), decision.CertificateMalformed, " element 1 pair 2"},
		"a certificate cut short":        {with(func(w *writtenJSON) { w.Cert = half(p.leaf); w.Hash = "" }), decision.CertificateMalformed, " element 1 pair 1"},
		"an intermediate cut short":      {with(func(w *writtenJSON) { w.Chain[1] = half(p.near) }), decision.CertificateMalformed, " element 1 pair 3 certificate 2"},
		"eleven in the chain":            {with(func(w *writtenJSON) { w.Chain = slices.Repeat(w.Chain[:1], 11) }), decision.EvidenceTooManyCertificates, " element 1 pair 3"},
		"cert twice":                     {`[{"cert":` + quote(other.Cert) + `,"cert":` + quote(cert) + `}]`, decision.XFCCDuplicateField, " element 1 pair 2"},
		"uri twice":                      {`[{"uri":["a"],"cert":` + quote(cert) + `,"uri":["b"]}]`, decision.XFCCDuplicateField, " element 1 pair 3"},
		"cert twice, once by an escape":  {`[{"cert":` + quote(other.Cert) + `,"cer\u0074":` + quote(cert) + `}]`, decision.XFCCDuplicateField, " element 1 pair 2"},
		"cert in another case":           {`[{"Cert":` + quote(cert) + `}]`, decision.XFCCMalformed, " element 1 pair 1"},
		"cert twice, in two cases":       {`[{"cert":` + quote(cert) + `,"CERT":` + quote(other.Cert) + `}]`, decision.XFCCMalformed, " element 1 pair 2"},
		"a key that Unicode folds":       {`[{"ha` + "\u017f" + `h":"00"}]`, decision.XFCCMalformed, " element 1 pair 1"},
		"a key that is not known":        {`[{"cert":` + quote(cert) + `,"san":"x"}]`, decision.XFCCMalformed, " element 1 pair 2"},
		"an empty key":                   {`[{"":"x"}]`, decision.XFCCMalformed, " element 1 pair 1"},
		"a number for cert":              {`[{"cert":1}]`, decision.XFCCMalformed, " element 1 pair 1"},
		"null for cert":                  {`[{"cert":null}]`, decision.XFCCMalformed, " element 1 pair 1"},
		"an array for cert":              {`[{"cert":[` + quote(cert) + `]}]`, decision.XFCCMalformed, " element 1 pair 1"},
		"an object for cert":             {`[{"cert":{"cert":` + quote(cert) + `}}]`, decision.XFCCMalformed, " element 1 pair 1"},
		"a string for chain":             {`[{"chain":` + quote(cert) + `}]`, decision.XFCCMalformed, " element 1 pair 1"},
		"null for chain":                 {`[{"chain":null}]`, decision.XFCCMalformed, " element 1 pair 1"},
		"an array in chain":              {`[{"chain":[[` + quote(cert) + `]]}]`, decision.XFCCMalformed, " element 1 pair 1"},
		"null in uri":                    {`[{"uri":[null]}]`, decision.XFCCMalformed, " element 1 pair 1"},
		"a string for an element":        {`["cert"]`, decision.XFCCMalformed, " element 1"},
		"null for an element":            {`[null]`, decision.XFCCMalformed, " element 1"},
		"an array for an element":        {"[" + array(honest) + "]", decision.XFCCMalformed, " element 1"},
		"no array around":                {honest.String(), decision.XFCCMalformed, " element 1 pair 1"},
		"a byte behind the array":        {array(honest) + "x", decision.XFCCMalformed, ""},
		"a second array":                 {array(honest) + "," + array(honest), decision.XFCCMalformed, ""},
		"a second array without a comma": {array(honest) + array(honest), decision.XFCCMalformed, ""},
		"text behind the array":          {array(honest) + "," + about(p.leaf).String(), decision.XFCCMalformed, ""},
		"a space before the array":       {" " + array(honest), decision.XFCCMalformed, " element 1 pair 1"},
		"no end":                         {strings.TrimSuffix(array(honest), "]"), decision.XFCCMalformed, ""},
		"no end of the element":          {strings.TrimSuffix(array(honest), "}]"), decision.XFCCMalformed, " element 1"},
		"a comma too many":               {strings.Replace(array(honest), "}]", "},]", 1), decision.XFCCMalformed, " element 2"},
		"a comma too many in an element": {strings.Replace(array(honest), "}]", ",}]", 1), decision.XFCCMalformed, " element 1 pair 3"},
		"no comma between elements":      {strings.Replace(array(honest, other), "},{", "} {", 1), decision.XFCCMalformed, " element 2"},
		"a comment":                      {"[/**/" + array(honest)[1:], decision.XFCCMalformed, " element 1"},
		"single quotes":                  {`[{'cert':'x'}]`, decision.XFCCMalformed, " element 1 pair 1"},
		"an escape that is none":         {`[{"subject":"\x41"}]`, decision.XFCCMalformed, " element 1 pair 1"},
		"bytes that are not UTF-8":       {"[{\"subject\":\"\xff\"}]", decision.XFCCMalformed, ""},
		"a raw line break":               {strings.Replace(array(honest), `\n`, "\n", 1), decision.XFCCMalformed, ""},
		"nothing but depth":              {strings.Repeat("[", peercert.MaxBytes), decision.XFCCMalformed, " element 1"},
		"depth where a name belongs":     {`[{"uri":` + strings.Repeat("[", peercert.MaxBytes-10), decision.XFCCMalformed, " element 1 pair 1"},
		"an element of text in a name":   {`[{"cert":` + quote(cert) + `,"subject":",Hash=00;URI=x"}]`, decision.XFCCAmbiguousSAN, " element 1 pair 2"},
		"one that begins with By":        {`[{"cert":` + quote(cert) + `,"uri":["x",",By=y;Hash=00;URI="]}]`, decision.XFCCAmbiguousSAN, " element 1 pair 2"},
		"more bytes than are read":       {array(honest) + strings.Repeat(" ", peercert.MaxBytes), decision.EvidenceTooLarge, ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			want := refusal{c.reason, header + c.field}
			wantRefusal(t, newReader(t, peercert.XFCC, 0), presented("", c.value), want)
			_, err := newReader(t, peercert.XFCC, 1).Read(presented("", c.value), nil)
			if sentence != "two elements" && decision.ReasonOf(err) != c.reason {
				t.Errorf("with a hop: %v", err)
			}
		})
	}
}

func TestTextAndJSONAreNotReadTogether(t *testing.T) {
	p := newPKI(t, testca.Template{})
	text, json := about(p.leaf).String(), array(inJSON(p.leaf))
	for _, values := range [][]string{{text, json}, {json, text}, {json, json, text}, {"[]", text}, {json, ""}, {"", json}} {
		for hops := range 3 {
			got, err := newReader(t, peercert.XFCC, hops).Read(presented("", values...), nil)
			if decision.ReasonOf(err) != decision.XFCCMalformed || got.Leaf != nil {
				t.Errorf("%.40q with %d hops: %v", values, hops, err)
			}
		}
	}
}

func TestElementsOfJSONAreCountedFromTheRight(t *testing.T) {
	p := newPKI(t, testca.Template{})
	first, second, third := inJSON(p.stranger), inJSON(p.near), inJSON(p.leaf, p.near, p.far)
	for sentence, values := range map[string][]string{
		"in one header value": {array(first, second, third)}, "in three": {array(first), array(second), array(third)},
	} {
		t.Run(sentence, func(t *testing.T) {
			in := presented("", values...)
			wantEvidence(t, newReader(t, peercert.XFCC, 1), in, p.leaf, p.near, p.far)
			wantEvidence(t, newReader(t, peercert.XFCC, 2), in, p.near)
			wantEvidence(t, newReader(t, peercert.XFCC, 3), in, p.stranger)
			wantRefusal(t, newReader(t, peercert.XFCC, 4), in, refusal{decision.XFCCElementCount, header})
			wantRefusal(t, newReader(t, peercert.XFCC, 0), in, refusal{decision.XFCCElementCount, header})
		})
	}
	ten := "[" + strings.Repeat("{},", 9) + third.String() + "]"
	wantEvidence(t, newReader(t, peercert.XFCC, 1), presented("", ten), p.leaf, p.near, p.far)
	wantRefusal(t, newReader(t, peercert.XFCC, 1), presented("", "[{},"+ten[1:]), refusal{decision.XFCCElementCount, header})
	wantRefusal(t, newReader(t, peercert.XFCC, 1), presented("", "[{}]", ten), refusal{decision.XFCCElementCount, header})
}

func TestANameThatDividesTextDividesNoJSON(t *testing.T) {
	template := testca.Template{DNSNames: []string{`z,Cert="x"`}, URIs: []string{"https://x/a,b;c"}}
	c := selfSigned(t, template)
	w := inJSON(c)
	w.URI, w.DNS = template.URIs, template.DNSNames
	wantEvidence(t, newReader(t, peercert.XFCC, 1), presented("", array(inJSON(c), w)), c)
}

// splices are what a caller could send where a proxy appends, about a victim.
func splices(victim *testca.Issued) []string {
	w := inJSON(victim)
	open := strings.TrimSuffix(w.String(), "}")
	return []string{
		"", "[]", "[[]", "[ ]", `[""]`, "[{}]", array(w), array(w) + "]", "[" + array(w) + "," + array(w), array(w) + "," + array(w),
		"[" + open + "]", "[" + open, "[" + open + `,"subject":"`, "[" + open + `,"subject":"]`, "[" + open + `,"subject":"\]`,
		"[" + open + `,"subject":"\u]`, "[" + open + `,"uri":["`, "[" + open + `,"uri":["]`, "[" + open + `,"uri":[]`, "[" + open + `,"chain":[]`,
		"[" + open + `},{"subject":"`, "[" + open + `},{"subject":"]`, "[" + open + `},{"hash":"`, "[" + open + `},{"hash":"]`, "[" + open + `},{"`, "[" + open + `},{"]`,
		"[" + open + `}],[{"by":["]`, `[{"by":["` + about(victim).String() + `]`, about(victim).String(), `[` + about(victim).String() + `]`,
		"[" + open + `},{"chain":["`, "[" + open + `},{"cert":"`, "[" + open + `,"cert":"]`,
	}
}

// Envoy appends without reading what is there, and in its form.
func TestACallerCannotSpliceAnElementIntoJSON(t *testing.T) {
	victim := selfSigned(t, testca.Template{CommonName: "victim"})
	for sentence, template := range map[string]testca.Template{
		"without names":                        {CommonName: "attacker"},
		"with a name that ends the element":    {CommonName: "attacker", URIs: []string{`spiffe://x/"}]`}},
		"with a name that ends an array of it": {CommonName: "attacker", URIs: []string{`spiffe://x/"]}]`}},
		"with a name that begins one":          {CommonName: "attacker", URIs: []string{`spiffe://x/"},{"`}},
	} {
		attacker := selfSigned(t, template)
		for detail, text := range map[string]written{
			"Cert":         about(attacker),
			"a Hash alone": {Hash: hash(attacker)},
			"a By":         {By: "spiffe://proxy", Hash: hash(attacker)},
		} {
			for _, uri := range template.URIs {
				text.Names = append(text.Names, "URI="+uri)
			}
			w := inJSON(attacker)
			w.URI = template.URIs
			if detail != "Cert" {
				w.Cert = ""
			}
			for _, came := range splices(victim) {
				for hops := range 2 {
					line := appended(came, w, text)
					got, err := newReader(t, peercert.XFCC, hops).Read(presented("", line), nil)
					if err == nil && got.Thumbprint != attacker.Thumbprint() {
						t.Errorf("%s, %s, %d hops: a caller that sends %q is taken for another", sentence, detail, hops, came)
					}
				}
			}
		}
	}
}

func quote(text string) string { return `"` + strings.ReplaceAll(text, "\n", `\n`) + `"` }

func half(c *testca.Issued) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate.Raw[:99]}))
}
