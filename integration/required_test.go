package integration_test

import (
	"crypto/tls"
	"strings"
	"testing"
)

func TestARequiredCertificateIsAskedForInTheHandshake(t *testing.T) {
	realEnvoy(t)
	clients, known, unknown := partner(t)
	g := open(t, plan{clients: clients, settings: "envoy: {clientCertificate: required}"}).envoy()
	g.keys.as = known // for nobody gets in without one
	t.Run("without one there is an alert", func(t *testing.T) {
		conn, err := tls.Dial("tcp", g.address.String(), g.tls(nil))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		// In TLS 1.3 the client has finished before the server looks at what it sent.
		if _, err := conn.Read(make([]byte, 1)); err == nil || !strings.Contains(err.Error(), "certificate required") {
			t.Errorf("the connection ends with %v, want the alert certificate_required", err)
		}
	})
	t.Run("a known one is admitted", func(t *testing.T) { g.expect(t, ask{as: known}, admitted("partner")) })
	t.Run("any other is certbearer's to judge", func(t *testing.T) { g.expect(t, ask{as: unknown}, unauthenticated("client_unknown")) })
}
