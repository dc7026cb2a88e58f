package integration_test

import (
	"crypto/tls"
	"encoding/hex"
	"net/http"
	"testing"

	"github.com/certbearer/certbearer/extauthz/testca"
)

// forgers are callers with certificates of their own making, whose names Envoy
// writes unescaped into x-forwarded-client-cert where it is told to.
type forgers struct {
	victim *tls.Certificate
	header string // what Envoy would write for the victim
	// readable has a name that crypto/x509 takes for a URI; it refuses most of the
	// others, which is a second line of defence and not to be relied on.
	readable *tls.Certificate
	others   map[string]*tls.Certificate
}

// newForgers makes them and the documents: the victim's, which pins, and that of
// an honest client with several names.
func newForgers(t *testing.T) (forgers, *tls.Certificate, map[string]document) {
	t.Helper()
	victim := made(t)(testca.LikeOpenSSL("victim", "Victim Inc"))
	honest := selfSigned(t, testca.Template{
		CommonName: "honest",
		DNSNames:   []string{"a.honest.example", "b.honest.example"},
		URIs:       []string{"spiffe://honest/a", "https://honest.example/?a=b"},
	})
	sum := victim.Thumbprint()
	text := `Hash=` + hex.EncodeToString(sum[:]) + `;Cert="` + victim.URLEncodedPEM() + `"`
	named := func(template testca.Template) *tls.Certificate { return presents(selfSigned(t, template)) }
	readable := named(testca.Template{URIs: []string{"spiffe://x/;DNS=z," + text}})
	f := forgers{victim: presents(victim), header: text, readable: readable, others: map[string]*tls.Certificate{
		"a URI name that ends its element and begins the victim's": named(testca.Template{URIs: []string{"spiffe://x;DNS=z," + text}}),
		"a DNS name that does the same":                            named(testca.Template{DNSNames: []string{"z," + text}}),
		"a URI name that adds fields to its own element":           named(testca.Template{URIs: []string{"spiffe://x;" + text}}),
		"a URI name that adds the victim's chain":                  named(testca.Template{URIs: []string{`spiffe://x;Chain="` + victim.URLEncodedPEM() + `"`}}),
		"a URI name that opens a quotation":                        named(testca.Template{URIs: []string{`"spiffe://x`, `y",` + text}}),
		"a subject that does it":                                   named(testca.Template{CommonName: `x",` + text}),
	}}
	return f, presents(honest), map[string]document{"victim": trusting(victim), "honest": trusting(honest)}
}

// gateFor is an Envoy as rendered or another one.
type gateFor struct {
	changes []change
	reason  string // why a name that crypto/x509 reads and that divides the header is refused
}

func TestNamesInACertificateForgeNothing(t *testing.T) {
	realEnvoy(t)
	f, honest, clients := newForgers(t)
	names, appended := forwardNames(), appendForward()
	for settings, gates := range map[string]map[string]gateFor{
		"certificate: {from: peer}": {
			"as rendered":              {reason: "client_unknown"},
			"that forwards names":      {changes: []change{names}, reason: "xfcc_element_count"},
			"that appends, unexpected": {changes: []change{appended}, reason: "client_unknown"},
		},
		"certificate: {from: xfcc}": {
			"as rendered":              {reason: "client_unknown"},
			"that forwards names":      {changes: []change{names}, reason: "xfcc_element_count"},
			"that appends, unexpected": {changes: []change{appended}, reason: "client_unknown"},
		},
		"certificate: {from: peer, hops: 1}": {
			"that appends names": {changes: []change{appended, names}, reason: "xfcc_ambiguous_san"},
		},
		"certificate: {from: xfcc, hops: 1}": {
			"that appends":       {changes: []change{appended}, reason: "xfcc_ambiguous_san"},
			"that appends names": {changes: []change{appended, names}, reason: "xfcc_ambiguous_san"},
		},
	} {
		w := open(t, plan{settings: settings, clients: clients})
		for sentence, c := range gates {
			t.Run(settings+" behind an Envoy "+sentence, func(t *testing.T) {
				g := w.envoy(c.changes...)
				g.expect(t, ask{as: f.victim}, admitted("victim"))
				g.expect(t, ask{as: honest}, admitted("honest"))
				f.getNowhere(t, g, c.reason)
			})
		}
	}
}

// attempt is what a forger tried and what came of it.
type attempt struct {
	what   string
	got    answer
	reason string // "" for any
}

func (f forgers) getNowhere(t *testing.T, g *gate, reason string) {
	t.Helper()
	header := http.Header{"X-Forwarded-Client-Cert": {f.header}}
	attempts := []attempt{
		{"the readable name", g.ask(t, ask{as: f.readable}), reason},
		{"the readable name and the victim's header", g.ask(t, ask{as: f.readable, header: header}), ""},
		{"the victim's header alone", g.ask(t, ask{header: header}), "certificate_missing"},
	}
	for what, as := range f.others {
		attempts = append(attempts,
			attempt{what, g.ask(t, ask{as: as}), ""},
			attempt{what + " and the victim's header", g.ask(t, ask{as: as, header: header}), ""})
	}
	for _, a := range attempts {
		r := g.world.record(t, a.got.id)
		if a.got.status != 401 || r.Decision != "deny" || r.Client != "" || len(a.got.received) > 0 {
			t.Errorf("%s got somewhere: status %d, record %+v, %d requests at the upstream", a.what, a.got.status, r, len(a.got.received))
		}
		if a.reason != "" && r.Reason != a.reason {
			t.Errorf("%s is refused for the reason %s, want %s", a.what, r.Reason, a.reason)
		}
	}
}
