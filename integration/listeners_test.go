package integration_test

import (
	"net/http"
	"testing"

	"github.com/certbearer/certbearer/extauthz/peercert"
)

// publicListener is for those without a certificate: it publishes, and leads
// nowhere else.
func (f *front) publicListener(t *testing.T) {
	t.Run("asks for no certificate", func(t *testing.T) {
		if asked, err := f.public.asksForACertificate(); asked || err != nil {
			t.Errorf("asked is %t, %v", asked, err)
		}
		if asked, err := f.site.asksForACertificate(); !asked || err != nil {
			t.Errorf("asked is %t at the other listener, %v", asked, err)
		}
	})
	t.Run("serves metadata and keys", func(t *testing.T) {
		for _, path := range []string{f.published, "/.well-known/jwks.json"} {
			if got := f.public.get(t, path, nil); got.status != http.StatusOK {
				t.Errorf("%s: status %d", path, got.status)
			}
		}
	})
	t.Run("authenticates nobody", func(t *testing.T) {
		stated := http.Header{peercert.StatementHeader: {f.world.statement(t, f.lab, "https://auth.example"+tokenPath)}}
		for _, path := range []string{tokenPath, introspectPath, revokePath} {
			f.public.refuses(t, posted{path: path, form: granting("lab", "token", "x")}, http.StatusUnauthorized, "invalid_client")
			f.public.refuses(t, posted{path: path, form: granting("lab", "token", "x"), header: stated}, http.StatusUnauthorized, "invalid_client")
		}
	})
	t.Run("leads to no upstream", func(t *testing.T) {
		before := f.world.upstream.count()
		for _, path := range []string{"/", "/hello", "/.well-known/other", "/oauth2", "/oauth2/token/x", "/oauth2/token/../../hello", "//hello"} {
			if got := f.public.get(t, path, carrying(f.tokenFor(t, "lab", presents(f.lab)))); got.status != http.StatusNotFound {
				t.Errorf("%s: status %d", path, got.status)
			}
		}
		if n := f.world.upstream.count() - before; n > 0 {
			t.Errorf("the upstream received %d requests", n)
		}
	})
}

// directListener knows the certificate from its own handshake.
func (f *front) directListener(t *testing.T) {
	lab := presents(f.lab)
	t.Run("gives a token that the gateway takes", func(t *testing.T) {
		token := f.direct.tokenFor(t, "lab", lab)
		if got := f.ask(t, ask{as: lab, header: carrying(token)}); got.status != http.StatusOK || len(got.received) != 1 {
			t.Errorf("status %d with %s", got.status, got.oauth)
		}
		if active := f.direct.introspect(t, "lab", lab, token)["active"]; active != true {
			t.Errorf("active is %v", active)
		}
	})
	t.Run("refuses who has no certificate, or another", func(t *testing.T) {
		f.direct.refuses(t, posted{form: granting("lab")}, http.StatusUnauthorized, "invalid_client")
		f.direct.refuses(t, posted{form: granting("lab"), as: presents(f.other)}, http.StatusUnauthorized, "invalid_client")
	})
	t.Run("believes no header", func(t *testing.T) {
		headers := smuggled(f.lab)
		headers[peercert.StatementHeader] = []string{f.world.statement(t, f.lab, "https://auth.example"+tokenPath)}
		for name, values := range headers {
			header := http.Header{http.CanonicalHeaderKey(name): values}
			f.direct.refuses(t, posted{form: granting("lab"), header: header}, http.StatusUnauthorized, "invalid_client")
			f.direct.refuses(t, posted{form: granting("lab"), header: header, as: presents(f.other)}, http.StatusUnauthorized, "invalid_client")
		}
	})
	t.Run("publishes too", func(t *testing.T) {
		for _, path := range []string{f.published, "/.well-known/jwks.json"} {
			if got := f.direct.get(t, path, nil); got.status != http.StatusOK {
				t.Errorf("%s: status %d", path, got.status)
			}
		}
	})
}

// medplum is for clients that send a secret beside their certificate, as Medplum's
// SDK does.
func (f *front) medplum(t *testing.T) {
	for how, through := range map[string]site{"behind Envoy": f.site, "directly": f.direct} {
		t.Run(how+": a secret beside the certificate counts for nothing", func(t *testing.T) {
			through.tokenFor(t, "lab", presents(f.lab), "client_secret", "undefined")
			through.refuses(t, posted{form: granting("lab", "client_secret", "undefined"), as: presents(f.other)}, http.StatusUnauthorized, "invalid_client")
		})
		t.Run(how+": it is no way to authenticate", func(t *testing.T) {
			through.refuses(t, posted{form: granting("lab", "client_secret", "undefined")}, http.StatusUnauthorized, "invalid_client")
		})
		t.Run(how+": other ways are refused as ever", func(t *testing.T) {
			through.refuses(t, posted{form: granting("lab", "client_assertion", "x"), as: presents(f.lab)}, http.StatusBadRequest, "invalid_request")
			through.refuses(t, posted{form: granting("lab"), as: presents(f.lab), header: http.Header{"Authorization": {"Basic bGFiOng="}}}, http.StatusUnauthorized, "invalid_client")
		})
	}
}
