package main

import (
	"context"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/certbearer/certbearer/extauthz/testca"
)

// What has ended is in /healthz and /metrics, and is gone from there once its client
// has another certificate.
func TestTheEndOfCertificatesIsTold(t *testing.T) {
	g := openGateway(t)
	old := selfSigned(t, testca.Template{CommonName: "old", NotAfter: time.Now().Add(-time.Hour)})
	fresh := selfSigned(t, testca.Template{CommonName: "new", NotAfter: time.Now().AddDate(0, 0, 20)})
	write := func(pins ...*testca.Issued) {
		t.Helper()
		for name, text := range (repository{"late.json": fields{"certificateTrustStore": stored(pins...)}}).texts(t) {
			if err := os.WriteFile(filepath.Join(g.config.Clients.Directory, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	write(old)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- g.run(ctx) }()
	const warning = "clients: certificates have ended, and none of their kind is left: late (pin, at "
	answers := func(path string) string {
		answer := httptest.NewRecorder()
		g.opsHandler().ServeHTTP(answer, httptest.NewRequest("GET", path, nil))
		return answer.Body.String()
	}
	until := func(sentence string, holds func() bool) {
		t.Helper()
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for deadline := time.After(20 * time.Second); !holds(); {
			select {
			case <-tick.C:
			case <-deadline:
				t.Fatalf("never: %s\n%s\n%s", sentence, answers("/healthz"), answers("/metrics"))
			}
		}
	}
	until("/healthz names the client whose pin has ended", func() bool { return strings.Contains(answers("/healthz"), warning) })
	until("/metrics counts it", func() bool {
		return strings.Contains(answers("/metrics"), `certbearer_client_certificates{kind="pin",window="ended"} 1`) &&
			strings.Contains(answers("/metrics"), `certbearer_client_certificate_expiry_timestamp_seconds{client="late",kind="pin"} `)
	})
	write(old, fresh)
	until("/healthz forgets it beside another", func() bool { return !strings.Contains(answers("/healthz"), warning) })
	until("/metrics counts both", func() bool {
		return strings.Contains(answers("/metrics"), `certbearer_client_certificates{kind="pin",window="30d"} 1`) &&
			strings.Contains(answers("/metrics"), `certbearer_client_certificates{kind="pin",window="ended"} 1`)
	})
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
