package integration_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509/pkix"
	"encoding/asn1"
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
			_, r := g.expect(t, ask{as: c.as}, c.want)
			if r.Decision == "deny" {
				g.world.expectExplained(t, r)
			}
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

// Envoy hands on whatever its TLS library lets through, and three times. If that
// did not fit into a check, Envoy would see an error where it has to see a refusal.
func TestTheLargestCertificateIsRefusedWithARecord(t *testing.T) {
	realEnvoy(t)
	g := open(t, plan{}).envoy()
	// Base64 of ones is slashes, of which each takes three bytes when it is encoded.
	bulk := func(size int) pkix.Extension {
		return pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 1}, Value: bytes.Repeat([]byte{0xff}, size)}
	}
	for _, size := range []int{20_000, 70_000, 95_000} {
		huge := selfSigned(t, testca.Template{CommonName: "huge", ExtraExtensions: []pkix.Extension{bulk(size)}})
		g.expect(t, ask{as: presents(huge)}, unauthenticated("evidence_too_large"))
	}
	eventually(t, "Envoy has counted three refusals", func() bool { return g.stat(t, "cluster.upstream.ext_authz.denied") == "3" })
	if n := g.stat(t, "cluster.upstream.ext_authz.error"); n != "0" && n != "" {
		t.Errorf("Envoy counts %s errors of certbearer", n)
	}
}

// sayings is an answer without what differs between any two.
func sayings(a answer) map[string]any {
	header := a.header.Clone()
	for _, name := range []string{"X-Request-Id", "Date", "X-Envoy-Upstream-Service-Time"} {
		header.Del(name)
	}
	return map[string]any{"status": a.status, "header": header, "body": a.body}
}
