package peercert_test

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/certbearer/certbearer/extauthz/peercert"
	"github.com/certbearer/certbearer/extauthz/testca"
)

// headers are a request's, by lower-case name.
type headers map[string][]string

func (h headers) presented() peercert.Presented {
	return peercert.Presented{Header: func(name string) []string { return h[name] }}
}

// named is the header that a test reads where the format has none of its own.
const named = "x-mtls-cert"

func headerOf(f peercert.Format) string {
	if name := f.DefaultHeader(); name != "" {
		return name
	}
	return named
}

func readerOf(t testing.TB, f peercert.Format) *peercert.Reader {
	t.Helper()
	r, err := peercert.NewReader(peercert.Config{From: peercert.Header, Header: headerOf(f), Format: f})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// carriesChain reports the formats in which a proxy passes intermediates on.
func carriesChain(f peercert.Format) bool {
	return f == peercert.FormatALB || f == peercert.FormatRFC9440 || f == peercert.FormatTraefik
}

// sentBy is what the proxy of the format sends of a client that has presented
// these, the leaf first.
func sentBy(f peercert.Format, certificates ...*testca.Issued) headers {
	leaf, name := certificates[0], headerOf(f)
	switch f {
	case peercert.FormatALB:
		return headers{name: {albEscape(certificates...)}}
	case peercert.FormatALBLeaf:
		return headers{name: {albEscape(leaf)}}
	case peercert.FormatNginx:
		return headers{name: {leaf.URLEncodedPEM()}}
	case peercert.FormatRFC9440:
		h := headers{name: {":" + base64DER(leaf) + ":"}}
		if len(certificates) > 1 {
			h[name+"-chain"] = []string{":" + strings.Join(allBase64(certificates[1:]), ":, :") + ":"}
		}
		return h
	case peercert.FormatApache:
		return headers{name: {strings.TrimRight(strings.ReplaceAll(string(leaf.PEM()), "\n", " "), " ")}}
	case peercert.FormatHAProxy:
		return headers{name: {base64DER(leaf)}}
	case peercert.FormatTraefik:
		return headers{name: {strings.Join(allBase64(certificates), ",")}}
	}
	return nil
}

// albEscape leaves "+", "/" and "=" as they are.
func albEscape(certificates ...*testca.Issued) string {
	var text strings.Builder
	for _, c := range certificates {
		text.WriteString(strings.NewReplacer(" ", "%20", "\n", "%0A").Replace(string(c.PEM())))
	}
	return text.String()
}

// oldTraefik escapes each certificate as a query, as Traefik did before 2.9.4.
func oldTraefik(certificates ...*testca.Issued) headers {
	texts := allBase64(certificates)
	for i := range texts {
		texts[i] = url.QueryEscape(texts[i])
	}
	return headers{headerOf(peercert.FormatTraefik): {strings.Join(texts, ",")}}
}

func base64DER(c *testca.Issued) string { return base64.StdEncoding.EncodeToString(c.Certificate.Raw) }

func allBase64(certificates []*testca.Issued) []string {
	texts := make([]string, len(certificates))
	for i, c := range certificates {
		texts[i] = base64DER(c)
	}
	return texts
}

// writtenJSON is one element as Envoy 1.40 writes it with format: JSON, in this
// order, without what is empty.
type writtenJSON struct {
	By      []string `json:"by,omitempty"`
	Hash    string   `json:"hash,omitempty"`
	Cert    string   `json:"cert,omitempty"`
	Chain   []string `json:"chain,omitempty"`
	Subject string   `json:"subject,omitempty"`
	URI     []string `json:"uri,omitempty"`
	DNS     []string `json:"dns,omitempty"`
	Issuer  string   `json:"issuer,omitempty"`
}

// inJSON is the element that Envoy writes when asked for cert, and for chain
// where others are given.
func inJSON(leaf *testca.Issued, others ...*testca.Issued) writtenJSON {
	w := writtenJSON{Hash: hash(leaf), Cert: string(leaf.PEM())}
	if len(others) > 0 {
		w.Chain = append(w.Chain, string(leaf.PEM()))
	}
	for _, c := range others {
		w.Chain = append(w.Chain, string(c.PEM()))
	}
	return w
}

func (w writtenJSON) String() string {
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(w); err != nil {
		panic(err)
	}
	return strings.TrimSpace(text.String())
}

// array is the header with the elements.
func array(elements ...writtenJSON) string {
	texts := make([]string, len(elements))
	for i, e := range elements {
		texts[i] = e.String()
	}
	return "[" + strings.Join(texts, ",") + "]"
}

// appended is what Envoy makes of a header that came with the request, where it
// has APPEND_FORWARD: it keeps to the form that is there.
func appended(came string, w writtenJSON, text written) string {
	switch {
	case came == "":
		return array(w)
	case strings.HasPrefix(came, "[") && strings.HasSuffix(came, "]"):
		return strings.TrimSuffix(came, "]") + "," + w.String() + "]"
	}
	return came + "," + text.String()
}

func base64Text(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

func base64Both(first, second *testca.Issued) string {
	return base64Text(string(first.Certificate.Raw) + string(second.Certificate.Raw))
}

// padded1 is base64 that ends in exactly one equals sign.
func padded1(t testing.TB) string {
	t.Helper()
	for length := range 8 {
		c := selfSigned(t, testca.Template{CommonName: strings.Repeat("c", 1+length)})
		if text := base64DER(c); strings.HasSuffix(text, "=") && !strings.HasSuffix(text, "==") {
			return text
		}
	}
	t.Fatal("no certificate has a length that suits")
	return ""
}

// spareBits sets one of the two bits that the last character has to spare.
func spareBits(text string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	at := len(text) - 2
	return text[:at] + string(alphabet[strings.IndexByte(alphabet, text[at])|1]) + text[at+1:]
}
