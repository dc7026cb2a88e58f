package integration_test

import (
	"crypto/tls"
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz/testca"
)

// All cases share one world, as partners share a gateway: each has clients and
// CAs of its own.
func TestACertificateIsJudgedByItsOwnClient(t *testing.T) {
	realEnvoy(t)
	cases := map[string]credential{
		"none is refused": {want: unauthenticated("certificate_missing")},
	}
	for _, more := range []map[string]credential{pinned(t), chained(t), untimely(t), forged(t), ofEveryKey(t), contested(t), rolledOver(t)} {
		maps.Copy(cases, more)
	}
	clients := make(map[string]document)
	for _, c := range cases {
		maps.Copy(clients, c.clients)
	}
	g := open(t, plan{clients: clients}).envoy()
	for sentence, c := range cases {
		t.Run(sentence, func(t *testing.T) {
			g.expect(t, ask{as: c.as}, c.want)
		})
	}
}

// Whoever has no accepted certificate learns one thing only, so that nobody can
// find out who the clients are or what their stores hold.
func TestTheRefusedCannotTellWhy(t *testing.T) {
	realEnvoy(t)
	expired := selfSigned(t, testca.Template{CommonName: "expired", NotAfter: time.Now().Add(-time.Minute)})
	off := selfSigned(t, testca.Template{CommonName: "off"})
	g := open(t, plan{clients: map[string]document{"expired": trusting(expired), "off": trusting(off).with("status", "off")}}).envoy()
	unknown := g.ask(t, ask{as: presents(selfSigned(t, testca.Template{CommonName: "unknown"}))})
	for sentence, as := range map[string]*tls.Certificate{
		"an expired certificate":           presents(expired),
		"a certificate of one that is off": presents(off),
		"no certificate":                   nil,
		"another one of the same name":     presents(selfSigned(t, testca.Template{CommonName: "expired"})),
	} {
		t.Run(sentence+" gets the answer of an unknown one", func(t *testing.T) {
			got := g.ask(t, ask{as: as})
			if diff := cmp.Diff(sayings(unknown), sayings(got)); diff != "" {
				t.Errorf("the answers differ (-unknown +this):\n%s", diff)
			}
		})
	}
}

// sayings is an answer without what differs between any two.
func sayings(a answer) map[string]any {
	header := a.header.Clone()
	for _, name := range []string{"X-Request-Id", "Date"} {
		header.Del(name)
	}
	return map[string]any{"status": a.status, "header": header, "body": a.body}
}
