package integration_test

import (
	"crypto/tls"
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"github.com/certbearer/certbearer/extauthz/testca"
)

// The faults of a system of this kind, seen on a running server, that concern the
// proxy and tokens; policies has those of stores and clients.

func TestMedplumFault01_APublicCertificateAloneIsNoProof(t *testing.T) {
	realEnvoy(t)
	victim := selfSigned(t, testca.Template{CommonName: "victim"})
	clients := map[string]document{"victim": trusting(victim)}
	t.Run("to Envoy, in a header", func(t *testing.T) {
		w := open(t, plan{clients: clients})
		g := w.envoy()
		for name, values := range smuggled(victim) {
			header := http.Header{http.CanonicalHeaderKey(name): values}
			g.expect(t, ask{header: header}, unauthenticated("certificate_missing"))
			g.site().refuses(t, posted{form: granting("victim"), header: header}, http.StatusUnauthorized, "invalid_client")
		}
	})
	t.Run("to certbearer, by somebody who is no proxy of ours", func(t *testing.T) {
		w, m := openMesh(t, clients)
		for sentence, as := range map[string]*tls.Certificate{"a stranger": presents(m.stranger), "nobody": {}} {
			config := &tls.Config{RootCAs: poolOf(m.ca), ServerName: "certbearer.internal", Certificates: []tls.Certificate{*as}, MinVersion: tls.VersionTLS12}
			if response, err := check(t, w.grpc, credentials.NewTLS(config), victim); status.Code(err) != codes.Unavailable {
				t.Errorf("%s is answered: %v (%v)", sentence, response, err)
			}
		}
	})
}

func TestMedplumFault02_TheLeftmostElementDoesNotWin(t *testing.T) {
	realEnvoy(t)
	attacker, victim := selfSigned(t, testca.Template{CommonName: "attacker"}), selfSigned(t, testca.Template{CommonName: "victim"})
	w := open(t, plan{settings: "certificate: {from: xfcc}", clients: map[string]document{"attacker": trusting(attacker), "victim": trusting(victim)}})
	header := http.Header{"X-Forwarded-Client-Cert": {"Hash=" + hashOf(victim) + `;Cert="` + victim.URLEncodedPEM() + `"`}}
	t.Run("Envoy as rendered takes it off", func(t *testing.T) {
		w.envoy().expect(t, ask{as: presents(attacker), header: header}, admitted("attacker"))
	})
	t.Run("behind an Envoy that appends, two elements are refused", func(t *testing.T) {
		w.envoy(appendForward()).expect(t, ask{as: presents(attacker), header: header}, unauthenticated("xfcc_element_count"))
	})
}

func TestMedplumFault03_ATokenIsBoundAndEndsWithTheClient(t *testing.T) {
	realEnvoy(t)
	own, other := selfSigned(t, testca.Template{CommonName: "partner"}), selfSigned(t, testca.Template{CommonName: "other"})
	w := open(t, plan{settings: "inboundAuthorization: verify", clients: map[string]document{"partner": trusting(own), "other": trusting(other)}})
	g := w.envoy()
	with := func(token string, as *tls.Certificate) ask { return ask{as: as, header: carrying(token)} }
	refused := func(reason string) want {
		return want{status: http.StatusUnauthorized, reason: reason, oauth: "invalid_token"}
	}
	token := g.site().tokenFor(t, "partner", presents(own))
	g.expect(t, with(token, presents(own)), admitted("partner"))
	g.expect(t, with(token, presents(other)), refused("token_binding_mismatch"))
	g.expect(t, with(token, nil), refused("token_without_certificate"))
	t.Run("turned off", func(t *testing.T) {
		w.writeClient(t, "partner", trusting(own).with("status", "off"))
		g.until(t, "the client is off", with(token, presents(own)), hasStatus(http.StatusUnauthorized))
		g.expect(t, with(token, presents(own)), unauthenticated("client_inactive"))
	})
	t.Run("with another trust store", func(t *testing.T) {
		w.writeClient(t, "partner", trusting(selfSigned(t, testca.Template{CommonName: "partner"})))
		eventually(t, "the client is active with another certificate", func() bool {
			return w.record(t, g.ask(t, with(token, presents(own))).id).Reason == "certificate_not_pinned"
		})
		g.expect(t, with(token, presents(own)), unauthenticated("certificate_not_pinned"))
	})
}

func TestMedplumFault09_TheDocumentedExampleGetsATokenWithoutASecret(t *testing.T) {
	realEnvoy(t)
	seed := made(t)(testca.LikeOpenSSL("My Integration Client", "My Organization"))
	w := open(t, plan{clients: map[string]document{"my-client": trusting(seed).with("name", "My Integration Client")}})
	token := w.envoy().site().tokenFor(t, "my-client", presents(seed))
	if _, claims := opened(t, token); claims["client_id"] != "my-client" {
		t.Errorf("client_id is %v", claims["client_id"])
	}
}

func TestMedplumFault11_ARefusalIsInvalidClientAndTellsNothing(t *testing.T) {
	realEnvoy(t)
	known, off := selfSigned(t, testca.Template{CommonName: "known"}), selfSigned(t, testca.Template{CommonName: "off"})
	s := open(t, plan{clients: map[string]document{"known": trusting(known), "off": trusting(off).with("status", "off")}}).envoy().site()
	unknown := s.refuses(t, posted{form: granting("nobody"), as: presents(known)}, http.StatusUnauthorized, "invalid_client")
	for sentence, p := range map[string]posted{
		"without a certificate": {form: granting("known")},
		"with another's":        {form: granting("known"), as: presents(off)},
		"turned off":            {form: granting("off"), as: presents(off)},
	} {
		if diff := cmp.Diff(sayings(unknown), sayings(s.post(t, p))); diff != "" {
			t.Errorf("%s (-unknown +this):\n%s", sentence, diff)
		}
	}
}

func TestMedplumFault12_DiscoveryNamesWhatThereIs(t *testing.T) {
	realEnvoy(t)
	f := openFront(t)
	metadata := members(t, f.public.get(t, f.published, nil).body)
	methods, _ := metadata["token_endpoint_auth_methods_supported"].([]any)
	if !slices.Contains(methods, any("tls_client_auth")) || metadata["tls_client_certificate_bound_access_tokens"] != true || metadata["mtls_endpoint_aliases"] == nil {
		t.Errorf("metadata is %v", metadata)
	}
}

func TestMedplumFault13_AScopeThatIsNotTheClientsIsNotGranted(t *testing.T) {
	realEnvoy(t)
	clients, known, _ := partner(t)
	clients["partner"] = clients["partner"].with("scope", []string{"orders.read"})
	s := open(t, plan{clients: clients}).envoy().site()
	s.tokenFor(t, "partner", known, "scope", "orders.read")
	for _, scope := range []string{"admin", "orders.read admin", "system/*.*"} {
		s.refuses(t, posted{form: granting("partner", "scope", scope), as: known}, http.StatusBadRequest, "invalid_scope")
	}
}

func TestMedplumFault14_ASecretBesideACertificateIsNeverAnAlternative(t *testing.T) {
	realEnvoy(t)
	basic := http.Header{"Authorization": {"Basic cGFydG5lcjpzZWNyZXQ="}}
	for compatibility, beside := range map[string]int{"none": http.StatusBadRequest, "medplum": http.StatusOK} {
		t.Run("compatibility: "+compatibility, func(t *testing.T) {
			clients, known, unknown := partner(t)
			clients["partner"] = clients["partner"].with("secret", "secret")
			s := open(t, plan{settings: "compatibility: " + compatibility, clients: clients}).envoy().site()
			for _, secret := range []string{"secret", "wrong"} {
				if got := s.post(t, posted{form: granting("partner", "client_secret", secret), as: known}); got.status != beside {
					t.Errorf("beside the certificate: status %d with %s", got.status, got.oauth)
				}
				s.refuses(t, posted{form: granting("partner", "client_secret", secret)}, http.StatusUnauthorized, "invalid_client")
			}
			if got := s.post(t, posted{form: granting("partner", "client_secret", "secret"), as: unknown}); got.status == http.StatusOK {
				t.Error("the right secret gets a token with a wrong certificate")
			}
			s.refuses(t, posted{form: granting("partner"), as: known, header: basic}, http.StatusUnauthorized, "invalid_client")
			s.refuses(t, posted{form: granting("partner"), header: basic}, http.StatusUnauthorized, "invalid_client")
		})
	}
}
