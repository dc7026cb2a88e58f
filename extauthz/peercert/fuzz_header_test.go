package peercert_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/url"
	"strings"
	"testing"

	"github.com/certbearer/certbearer/extauthz/peercert"
	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies/decision"
)

// FuzzHeader holds what is accepted against a second reading of each format that
// shares nothing with the first.
func FuzzHeader(f *testing.F) {
	p := newPKI(f, testca.Template{})
	for i, format := range peercert.Formats() {
		for _, sent := range []headers{
			sentBy(format, p.leaf), sentBy(format, p.leaf, p.near, p.far), sentBy(format, withPlus(f)), sentBy(format, strangers(f, 11)...),
		} {
			name := headerOf(format)
			f.Add(i, sent[name][0], strings.Join(sent[name+"-chain"], "\n"))
			f.Add(i, sent[name][0]+","+sent[name][0], sent[name][0])
		}
	}
	traefik := oldTraefik(p.leaf, p.near)
	f.Add(6, traefik[headerOf(peercert.FormatTraefik)][0], "")
	f.Add(4, "(null)", "")
	f.Add(3, "::", "")
	f.Add(3, ":"+rfc9440Leaf+":", ":"+rfc9440CA+":\n:"+rfc9440CA+":")
	f.Fuzz(func(t *testing.T, at int, value, chain string) {
		formats := peercert.Formats()
		format := formats[uint(at)%uint(len(formats))]
		name := headerOf(format)
		sent := headers{name: {value}}
		if chain != "" {
			sent[name+"-chain"] = strings.Split(chain, "\n")
		}
		got, err := readerOf(t, format).Read(sent.presented(), new(decision.Trace))
		if err != nil {
			wantOrderly(t, got, err)
			return
		}
		wantSame(t, got, byTheBook(t, format, value, sent[name+"-chain"]))
	})
}

// byTheBook decodes what was accepted with the standard library.
func byTheBook(t *testing.T, f peercert.Format, value string, chain []string) [][]byte {
	t.Helper()
	switch f {
	case peercert.FormatApache:
		value = strings.ReplaceAll(value, "----- ", "-----\n")
		return decodePEM(t, strings.ReplaceAll(value, " -----", "\n-----"))
	case peercert.FormatRFC9440:
		texts := []string{value}
		for _, line := range chain {
			texts = append(texts, strings.FieldsFunc(line, func(r rune) bool { return r == ',' || r == ' ' })...)
		}
		return decodeBase64(t, texts, ":")
	case peercert.FormatHAProxy:
		return decodeBase64(t, []string{value}, "")
	}
	plain, err := url.PathUnescape(value)
	if err != nil {
		t.Fatalf("accepted what net/url refuses: %v", err)
	}
	if f == peercert.FormatTraefik {
		return decodeBase64(t, strings.Split(plain, ","), "")
	}
	return decodePEM(t, plain)
}

func decodePEM(t *testing.T, text string) [][]byte {
	t.Helper()
	var ders [][]byte
	for rest := []byte(text); len(bytes.TrimSpace(rest)) > 0; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil || block.Type != "CERTIFICATE" || len(block.Headers) != 0 {
			t.Fatalf("accepted what is no PEM of certificates to encoding/pem: %q", text)
		}
		ders = append(ders, block.Bytes)
	}
	return ders
}

func decodeBase64(t *testing.T, texts []string, around string) [][]byte {
	t.Helper()
	var ders [][]byte
	for _, text := range texts {
		der, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(strings.TrimPrefix(text, around), around))
		if err != nil {
			t.Fatalf("accepted what is no base64 to encoding/base64: %v", err)
		}
		ders = append(ders, der)
	}
	return ders
}

// wantSame wants the first as the leaf and each other once, in their order.
func wantSame(t *testing.T, got peercert.Evidence, ders [][]byte) {
	t.Helper()
	if len(ders) > peercert.MaxCertificates {
		t.Errorf("%d certificates were accepted", len(ders))
	}
	seen := map[string]bool{}
	var want [][]byte
	for _, der := range ders {
		if !seen[string(der)] {
			want = append(want, der)
		}
		seen[string(der)] = true
	}
	all := append([][]byte{got.Leaf.Raw}, raw(got.Intermediates)...)
	if len(all) != len(want) || !bytes.Equal(bytes.Join(all, nil), bytes.Join(want, nil)) {
		t.Errorf("read %d certificates that are not the %d that stand there", len(all), len(want))
	}
	if got.Thumbprint != sha256.Sum256(ders[0]) {
		t.Error("the thumbprint is not that of the first certificate")
	}
}

// FuzzXFCCJSON holds what is accepted against encoding/json.
func FuzzXFCCJSON(f *testing.F) {
	p := newPKI(f, testca.Template{})
	whole := inJSON(p.leaf, p.near, p.far)
	whole.By, whole.Subject, whole.Issuer, whole.URI, whole.DNS = []string{"spiffe://proxy"}, `CN=a\,b`, "CN=Near", []string{`spiffe://x/;b"\`}, []string{"a"}
	for _, value := range append(splices(p.stranger),
		array(whole), array(inJSON(p.leaf)), array(inJSON(p.stranger), whole), array(inJSON(p.leaf, strangers(f, 10)...)),
		strings.Replace(array(whole), `"cert"`, `"cer\u0074"`, 1), strings.Replace(array(whole), `"cert"`, `"cert":"x","cert"`, 1), "[[]]", `[{"cert":null}]`,
	) {
		for hops := range 3 {
			f.Add(value, "", hops)
		}
		f.Add(value, value, 1)
	}
	f.Fuzz(func(t *testing.T, first, second string, hops int) {
		hops &= 3
		values := []string{"[" + strings.TrimPrefix(first, "[")}
		if second != "" {
			values = append(values, second)
		}
		got, err := newReader(t, peercert.XFCC, hops).Read(presented("", values...), new(decision.Trace))
		if err != nil {
			wantOrderly(t, got, err)
			return
		}
		var elements []writtenJSON
		for _, value := range values {
			var some []writtenJSON
			if err := json.Unmarshal([]byte(value), &some); err != nil {
				t.Fatalf("accepted what encoding/json refuses: %v", err)
			}
			elements = append(elements, some...)
		}
		e := elements[len(elements)-max(1, hops)]
		ders := decodePEM(t, e.Cert)
		if len(ders) != 1 {
			t.Fatalf("cert has %d certificates", len(ders))
		}
		for _, text := range e.Chain {
			ders = append(ders, decodePEM(t, text)...)
		}
		if len(e.Chain) > 0 {
			ders = ders[1:]
		}
		wantSame(t, got, ders)
	})
}

// FuzzXFCCSplice has a caller send anything where the proxy appends: whatever is
// believed is about the certificate that the proxy saw.
func FuzzXFCCSplice(f *testing.F) {
	victim := selfSigned(f, testca.Template{CommonName: "victim"})
	for _, came := range splices(victim) {
		f.Add(came, `spiffe://x/"]}]`, true, true)
		f.Add(came, `"}]`, false, false)
	}
	f.Fuzz(func(t *testing.T, came, uri string, cert, by bool) {
		template := testca.Template{CommonName: "attacker", URIs: []string{uri}}
		attacker, err := testca.SelfSigned(template)
		if err != nil || strings.ContainsAny(uri, "\r\n\x00") {
			return
		}
		w, text := inJSON(attacker), about(attacker)
		w.URI, text.Names = template.URIs, []string{"URI=" + uri}
		if !cert {
			w.Cert, text.Cert = "", ""
		}
		if by {
			w.By, text.By = []string{"spiffe://proxy"}, "spiffe://proxy"
		}
		got, err := newReader(t, peercert.XFCC, 1).Read(presented("", appended(came, w, text)), nil)
		if err == nil && got.Thumbprint != attacker.Thumbprint() {
			t.Errorf("a caller that sends %q with a URI of %q is taken for another", came, uri)
		}
	})
}
