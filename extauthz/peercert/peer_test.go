package peercert_test

import (
	"encoding/base64"
	"encoding/pem"
	"slices"
	"strings"
	"testing"

	"github.com/certbearer/certbearer/extauthz/peercert"
	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/policies/decision"
)

func TestPeerTakesTheLeafFromSourceCertificate(t *testing.T) {
	p := newPKI(t, testca.Template{})
	encoded := p.leaf.URLEncodedPEM()
	for name, peer := range map[string]string{
		"as Envoy writes it":                        encoded,
		"with escapes in lower case":                lowerEscapes(encoded),
		"with nothing escaped but the line breaks":  strings.NewReplacer("%20", " ", "%2B", "+", "%2F", "/", "%3D", "=").Replace(encoded),
		"with CRLF line breaks, escaped":            strings.ReplaceAll(encoded, "%0A", "%0D%0A"),
		"with white space before and after":         "%0A%20%09" + encoded + "%20%0D%0A%0A",
		"without the last line break":               strings.TrimSuffix(encoded, "%0A"),
		"with base64 on one line":                   oneLine(p.leaf),
		"with every byte escaped, as a path may be": escapeAll(string(p.leaf.PEM())),
		"with every byte escaped in lower case":     lowerEscapes(escapeAll(string(p.leaf.PEM()))),
	} {
		t.Run(name, func(t *testing.T) {
			wantEvidence(t, newReader(t, peercert.Peer, 0), presented(peer), p.leaf)
		})
	}
}

func TestPeerWorksWithoutAHeaderFunction(t *testing.T) {
	p := newPKI(t, testca.Template{})
	wantEvidence(t, newReader(t, peercert.Peer, 0),
		peercert.Presented{PeerCertificate: []byte(p.leaf.URLEncodedPEM())}, p.leaf)
}

func TestAPlusSignStaysOne(t *testing.T) {
	leaf := withPlus(t)
	for name, encoded := range map[string]string{
		"escaped in upper case": leaf.URLEncodedPEM(),
		"escaped in lower case": strings.ReplaceAll(leaf.URLEncodedPEM(), "%2B", "%2b"),
		"not escaped":           strings.ReplaceAll(leaf.URLEncodedPEM(), "%2B", "+"),
	} {
		t.Run(name, func(t *testing.T) {
			wantEvidence(t, newReader(t, peercert.Peer, 0), presented(encoded), leaf)
			wantEvidence(t, newReader(t, peercert.XFCC, 0), presented("", written{Cert: encoded}.String()), leaf)
		})
	}
}

func TestPeerRefusesWhatIsNotOneCertificate(t *testing.T) {
	p := newPKI(t, testca.Template{})
	encoded, plain := p.leaf.URLEncodedPEM(), string(p.leaf.PEM())
	der := p.leaf.Certificate.Raw
	for name, peer := range map[string]string{
		"two certificates":                          chain(p.leaf, p.near),
		"the same certificate twice":                chain(p.leaf, p.leaf),
		"white space only":                          "%20%0A",
		"text":                                      "certificate",
		"garbage before the block":                  "x%0A" + encoded,
		"garbage after the block":                   encoded + "x",
		"garbage on the last line":                  strings.TrimSuffix(encoded, "%0A") + "x",
		"a NUL after the block, escaped":            encoded + "%00",
		"a NUL within the block, escaped":           strings.Replace(encoded, "%0A", "%0A%00", 1),
		"a NUL, not escaped":                        encoded + "\x00",
		"line breaks that are not escaped":          plain,
		"CRLF line breaks that are not escaped":     strings.ReplaceAll(plain, "\n", "\r\n"),
		"a percent sign at the end":                 encoded + "%",
		"an escape with one digit at the end":       encoded + "%0",
		"an escape that is not hexadecimal":         encoded + "%0G",
		"spaces as plus signs, as in a query":       strings.ReplaceAll(encoded, "%20", "+"),
		"another type of block":                     escapePEM("TRUSTED CERTIFICATE", der, nil),
		"a private key":                             escapePEM("PRIVATE KEY", der, nil),
		"headers in the block":                      escapePEM("CERTIFICATE", der, map[string]string{"Proc-Type": "4,ENCRYPTED"}),
		"a byte after the certificate in the block": escapePEM("CERTIFICATE", append(slices.Clone(der), 0), nil),
		"two certificates in one block":             escapePEM("CERTIFICATE", slices.Concat(der, p.near.Certificate.Raw), nil),
		"half a certificate":                        escapePEM("CERTIFICATE", der[:len(der)/2], nil),
		"an empty block":                            escapePEM("CERTIFICATE", nil, nil),
		"no last line":                              encoded[:strings.Index(encoded, "-----END")],
		"no first line":                             encoded[strings.Index(encoded, "%0A")+3:],
		"a first line that goes on":                 strings.Replace(encoded, "%0A", "", 1),
		"a last line that began before":             strings.Replace(encoded, "%0A-----END", "-----END", 1),
		"a letter that base64 does not know":        strings.Replace(encoded, "%0A", "%0A*", 1),
		"base64 in the alphabet of URLs":            strings.NewReplacer("%2B", "-", "%2F", "_").Replace(withPlus(t).URLEncodedPEM()),
		"encoded twice":                             strings.ReplaceAll(encoded, "%", "%25"),
		"quotes around it":                          `"` + encoded + `"`,
	} {
		t.Run(name, func(t *testing.T) {
			wantRefusal(t, newReader(t, peercert.Peer, 0), presented(peer),
				refusal{decision.CertificateMalformed, "source.certificate"})
		})
	}
}

// Base64 with bits left over could spell one certificate in several ways.
func TestPeerRefusesBase64WithBitsLeftOver(t *testing.T) {
	leaf := padded(t)
	encoded := leaf.URLEncodedPEM()
	at := strings.Index(encoded, "%3D") - 1
	changed := encoded[:at] + string(encoded[at]+1) + encoded[at+1:]
	wantEvidence(t, newReader(t, peercert.Peer, 0), presented(encoded), leaf)
	wantRefusal(t, newReader(t, peercert.Peer, 0), presented(changed),
		refusal{decision.CertificateMalformed, "source.certificate"})
}

func TestPeerWithoutACertificateIsMissingWhateverTheHeaderSays(t *testing.T) {
	p := newPKI(t, testca.Template{})
	for name, values := range map[string][]string{
		"no header":          nil,
		"an empty header":    {""},
		"a flawless header":  {p.full().String()},
		"a malformed header": {"?"},
	} {
		t.Run(name, func(t *testing.T) {
			wantRefusal(t, newReader(t, peercert.Peer, 0), presented("", values...),
				refusal{decision.CertificateMissing, "source.certificate"})
		})
	}
}

func TestPeerTakesIntermediatesFromAnElementAboutItsLeaf(t *testing.T) {
	p := newPKI(t, testca.Template{})
	peer := p.leaf.URLEncodedPEM()
	both := []*testca.Issued{p.near, p.far}
	for name, test := range map[string]struct {
		value string
		want  []*testca.Issued
	}{
		"Hash, Cert and Chain":                   {p.full().String(), both},
		"Cert and Chain":                         {written{Cert: peer, Chain: chain(p.leaf, p.near, p.far)}.String(), both},
		"Chain alone":                            {written{Chain: chain(p.leaf, p.near, p.far)}.String(), both},
		"a chain of the leaf alone":              {written{Chain: chain(p.leaf)}.String(), nil},
		"Cert alone":                             {written{Cert: peer}.String(), nil},
		"Hash alone":                             {written{Hash: hash(p.leaf)}.String(), nil},
		"Hash in capitals":                       {written{Hash: strings.ToUpper(hash(p.leaf))}.String(), nil},
		"names alone":                            {`Subject="CN=anything";URI=spiffe://anyone;DNS=any.example`, nil},
		"Hash and names, as Envoy does unasked":  {written{Hash: hash(p.leaf), Names: []string{`Subject="CN=client"`, "URI="}}.String(), nil},
		"a chain that repeats an intermediate":   {written{Chain: chain(p.leaf, p.near, p.near, p.far)}.String(), both},
		"a chain that repeats the leaf":          {written{Chain: chain(p.leaf, p.near, p.leaf, p.far)}.String(), both},
		"intermediates in the order of the wire": {written{Chain: chain(p.leaf, p.far, p.near)}.String(), []*testca.Issued{p.far, p.near}},
	} {
		t.Run(name, func(t *testing.T) {
			wantEvidence(t, newReader(t, peercert.Peer, 0), presented(peer, test.value), p.leaf, test.want...)
		})
	}
}

func TestPeerRefusesAnElementAboutAnotherCertificate(t *testing.T) {
	p := newPKI(t, testca.Template{})
	peer, other := p.leaf.URLEncodedPEM(), p.stranger
	element := func(pair int) string { return header + " element 1 pair " + string(rune('0'+pair)) }
	for name, test := range map[string]struct {
		value string
		want  refusal
	}{
		"Hash of another": {
			written{Hash: hash(other)}.String(),
			refusal{decision.XFCCHashMismatch, element(1)},
		},
		"Hash of another beside our chain": {
			written{Hash: hash(other), Chain: chain(p.leaf, p.near)}.String(),
			refusal{decision.XFCCHashMismatch, element(1)},
		},
		"Hash and Cert of another": {
			about(other).String(),
			refusal{decision.ChainLeafMismatch, element(2)},
		},
		"Cert of another before our chain": {
			written{Cert: other.URLEncodedPEM(), Chain: chain(p.leaf, p.near)}.String(),
			refusal{decision.ChainLeafMismatch, element(1)},
		},
		"Chain of another": {
			written{Chain: chain(other, p.near)}.String(),
			refusal{decision.ChainLeafMismatch, element(1)},
		},
		"Chain of another behind our Cert": {
			written{Hash: hash(p.leaf), Cert: peer, Chain: chain(other, p.leaf)}.String(),
			refusal{decision.ChainLeafMismatch, element(3)},
		},
		"our chain turned round": {
			written{Chain: chain(p.far, p.near, p.leaf)}.String(),
			refusal{decision.ChainLeafMismatch, element(1)},
		},
		"our chain without its leaf": {
			written{Chain: chain(p.near, p.far)}.String(),
			refusal{decision.ChainLeafMismatch, element(1)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			wantRefusal(t, newReader(t, peercert.Peer, 0), presented(peer, test.value), test.want)
		})
	}
}

func TestPeerRefusesAFaultyHeaderForItsOwnReason(t *testing.T) {
	p := newPKI(t, testca.Template{})
	for name, test := range map[string]struct {
		values []string
		want   refusal
	}{
		"an empty header":    {[]string{""}, refusal{decision.XFCCMalformed, header + " element 1 pair 1"}},
		"an unknown key":     {[]string{"Leaf=1"}, refusal{decision.XFCCMalformed, header + " element 1 pair 1"}},
		"Cert twice":         {[]string{p.full().String() + `;Cert=""`}, refusal{decision.XFCCDuplicateField, header + " element 1 pair 4"}},
		"two elements":       {[]string{p.full().String() + "," + p.full().String()}, refusal{decision.XFCCElementCount, header}},
		"two header values":  {[]string{p.full().String(), p.full().String()}, refusal{decision.XFCCElementCount, header}},
		"a chain of garbage": {[]string{written{Chain: "x"}.String()}, refusal{decision.CertificateMalformed, header + " element 1 pair 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			wantRefusal(t, newReader(t, peercert.Peer, 0), presented(p.leaf.URLEncodedPEM(), test.values...), test.want)
		})
	}
}

func TestPeerFindsTheChainByHops(t *testing.T) {
	p := newPKI(t, testca.Template{})
	peer := p.leaf.URLEncodedPEM()
	r := newReader(t, peercert.Peer, 1)
	wantEvidence(t, r, presented(peer, about(p.stranger).String()+","+p.full().String()), p.leaf, p.near, p.far)
	wantRefusal(t, r, presented(peer, p.full().String()+","+about(p.stranger).String()),
		refusal{decision.ChainLeafMismatch, header + " element 2 pair 2"})
}

// until makes certificates until one suits.
func until(t testing.TB, suits func(*testca.Issued) bool) *testca.Issued {
	t.Helper()
	for range 1000 {
		if c := selfSigned(t, testca.Template{CommonName: "client"}); suits(c) {
			return c
		}
	}
	t.Fatal("no certificate suits")
	return nil
}

func withPlus(t testing.TB) *testca.Issued {
	return until(t, func(c *testca.Issued) bool { return strings.Contains(c.URLEncodedPEM(), "%2B") })
}

func padded(t testing.TB) *testca.Issued {
	return until(t, func(c *testca.Issued) bool { return len(c.Certificate.Raw)%3 != 0 })
}

func lowerEscapes(s string) string {
	var text strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' {
			text.WriteString(strings.ToLower(s[i : i+3]))
			i += 2
			continue
		}
		text.WriteByte(s[i])
	}
	return text.String()
}

func escapeAll(s string) string {
	const digits = "0123456789ABCDEF"
	var text strings.Builder
	for i := range len(s) {
		text.WriteString("%" + string(digits[s[i]>>4]) + string(digits[s[i]&15]))
	}
	return text.String()
}

func escapePEM(kind string, der []byte, headers map[string]string) string {
	return escapeAll(string(pem.EncodeToMemory(&pem.Block{Type: kind, Headers: headers, Bytes: der})))
}

func oneLine(c *testca.Issued) string {
	return escapeAll("-----BEGIN CERTIFICATE-----\n" + base64.StdEncoding.EncodeToString(c.Certificate.Raw) +
		"\n-----END CERTIFICATE-----\n")
}
