package integration_test

import (
	"crypto/tls"
	"net/http"
	"testing"

	"github.com/certbearer/certbearer/extauthz/testca"
)

// forgers are callers with certificates of their own making, whose names Envoy
// writes unescaped into x-forwarded-client-cert where it is told to.
type forgers struct {
	victim *tls.Certificate
	header string // what Envoy would write for the victim
	all    map[string]*tls.Certificate
}

// What forgers have in their certificates. The last four are URIs that
// crypto/x509 refuses to read, which is a second line of defence and not to be
// relied on.
const (
	dividing   = "a URI name that is one for crypto/x509 and ends its element and begins the victim's"
	dnsName    = "a DNS name that does the same"
	inSubject  = "a subject that does it"
	ending     = "a URI name that ends its element and begins the victim's"
	adding     = "a URI name that adds fields to its own element"
	addedChain = "a URI name that adds the victim's chain"
	quoting    = "a URI name that opens a quotation"
)

// refusals are reasons by what forgers have in their certificates.
type refusals map[string]string

// refusing has one reason for the names that can be read, one for the subject and
// one for what cannot be read.
func refusing(readable, subject, unreadable string) refusals {
	return refusals{
		dividing: readable, dnsName: readable, inSubject: subject,
		ending: unreadable, adding: unreadable, addedChain: unreadable, quoting: unreadable,
	}
}

func (r refusals) but(others refusals) refusals {
	for what, reason := range others {
		r[what] = reason
	}
	return r
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
	text := elementOf(victim)
	named := func(template testca.Template) *tls.Certificate { return presents(selfSigned(t, template)) }
	f := forgers{victim: presents(victim), header: text, all: map[string]*tls.Certificate{
		dividing:   named(testca.Template{URIs: []string{"spiffe://x/;DNS=z," + text}}),
		dnsName:    named(testca.Template{DNSNames: []string{"z," + text}}),
		inSubject:  named(testca.Template{CommonName: `x",` + text}),
		ending:     named(testca.Template{URIs: []string{"spiffe://x;DNS=z," + text}}),
		adding:     named(testca.Template{URIs: []string{"spiffe://x;" + text}}),
		addedChain: named(testca.Template{URIs: []string{`spiffe://x;Chain="` + victim.URLEncodedPEM() + `"`}}),
		quoting:    named(testca.Template{URIs: []string{`"spiffe://x`, `y",` + text}}),
	}}
	return f, presents(honest), map[string]document{"victim": trusting(victim), "honest": trusting(honest)}
}

// gateFor is an Envoy as rendered or another one.
type gateFor struct {
	changes []change
	alone   refusals
	added   refusals // of those who send the victim's header too; nil for the same
}

func TestNamesInACertificateForgeNothing(t *testing.T) {
	realEnvoy(t)
	f, honest, clients := newForgers(t)
	names, appended := forwardNames(), appendForward()
	const unknown, malformed = "client_unknown", "certificate_malformed"
	const count, san = "xfcc_element_count", "xfcc_ambiguous_san"
	twice := refusals{adding: "xfcc_duplicate_field", addedChain: "xfcc_duplicate_field", quoting: "xfcc_malformed"}
	for settings, gates := range map[string]map[string]gateFor{
		"certificate: {from: peer}": {
			"as rendered":              {nil, refusing(unknown, unknown, malformed), nil},
			"that forwards names":      {[]change{names}, refusing(count, unknown, malformed), nil},
			"that appends, unexpected": {[]change{appended}, refusing(unknown, unknown, malformed), refusing(count, count, malformed)},
		},
		"certificate: {from: xfcc}": {
			"as rendered":              {nil, refusing(unknown, unknown, malformed), nil},
			"that forwards names":      {[]change{names}, refusing(count, unknown, count).but(twice), nil},
			"that appends, unexpected": {[]change{appended}, refusing(unknown, unknown, malformed), refusing(count, count, count)},
		},
		"certificate: {from: peer, hops: 1}": {
			"that appends names": {[]change{appended, names}, refusing(san, unknown, malformed), nil},
		},
		"certificate: {from: xfcc, hops: 1}": {
			"that appends":       {[]change{appended}, refusing(san, unknown, malformed), nil},
			"that appends names": {[]change{appended, names}, refusing(san, unknown, malformed).but(twice), nil},
		},
	} {
		w := open(t, plan{settings: settings, clients: clients})
		for sentence, c := range gates {
			t.Run(settings+" behind an Envoy "+sentence, func(t *testing.T) {
				g := w.envoy(c.changes...)
				g.expect(t, ask{as: f.victim}, admitted("victim"))
				g.expect(t, ask{as: honest}, admitted("honest"))
				f.getNowhere(t, g, c)
			})
		}
	}
}

// attempt is what a forger tried and what came of it.
type attempt struct {
	what   string
	got    answer
	reason string
}

func (f forgers) getNowhere(t *testing.T, g *gate, c gateFor) {
	t.Helper()
	header := http.Header{"X-Forwarded-Client-Cert": {f.header}}
	added := c.added
	if added == nil {
		added = c.alone
	}
	attempts := []attempt{{"the victim's header alone", g.ask(t, ask{header: header}), "certificate_missing"}}
	for what, as := range f.all {
		attempts = append(attempts,
			attempt{what, g.ask(t, ask{as: as}), c.alone[what]},
			attempt{what + " and the victim's header", g.ask(t, ask{as: as, header: header}), added[what]})
	}
	for _, a := range attempts {
		r := g.world.record(t, a.got.id)
		if a.got.status != 401 || r.Decision != "deny" || r.Client != "" || len(a.got.received) > 0 {
			t.Errorf("%s got somewhere: status %d, record %+v, %d requests at the upstream", a.what, a.got.status, r, len(a.got.received))
		}
		if r.Reason != a.reason {
			t.Errorf("%s is refused for the reason %s, want %s", a.what, r.Reason, a.reason)
		}
	}
}
