package integration_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// site is where our endpoints are reached: Envoy's listener, its public one, or
// certbearer's own.
type site struct {
	base  string
	roots *x509.CertPool
}

func (g *gate) site() site { return site{"https://" + g.address.String(), g.world.roots()} }

// posted is a form that is sent to an endpoint of ours. The zero value asks for a
// token, with a form that lacks everything.
type posted struct {
	method string // POST where empty
	path   string // that of the token endpoint where empty
	form   url.Values
	body   string // in the place of the form
	as     *tls.Certificate
	header http.Header // on top of the form's own Content-Type; a nil value takes one off
	host   string      // in the place of the site's
}

// The paths of our endpoints.
const (
	tokenPath      = "/oauth2/token"
	introspectPath = "/oauth2/introspect"
	revokePath     = "/oauth2/revoke"
)

// post sends the form on a connection of its own.
func (s site) post(t *testing.T, p posted) answer {
	t.Helper()
	body := p.body
	if body == "" {
		body = p.form.Encode()
	}
	request, err := http.NewRequestWithContext(context.Background(), orElse(p.method, http.MethodPost), s.base+orElse(p.path, tokenPath), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Host = orElse(p.host, request.Host)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for name, values := range p.header {
		request.Header[http.CanonicalHeaderKey(name)] = values
	}
	return s.do(t, request, p.as)
}

// get fetches something that is published.
func (s site) get(t *testing.T, path string, header http.Header) answer {
	t.Helper()
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, s.base+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header = header
	return s.do(t, request, nil)
}

func (s site) do(t *testing.T, request *http.Request, as *tls.Certificate) answer {
	t.Helper()
	config := &tls.Config{RootCAs: s.roots, ServerName: "localhost", MinVersion: tls.VersionTLS12}
	if as != nil {
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return as, nil }
	}
	client := &http.Client{
		Transport:     &http.Transport{TLSClientConfig: config, DisableKeepAlives: true, DisableCompression: true},
		Timeout:       patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatalf("%s %s: %v", request.Method, request.URL.Path, err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	return newAnswer(response, string(content))
}

// granting is a good token request of the client; more are pairs of a parameter and
// its value.
func granting(client string, more ...string) url.Values {
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {client}}
	for i := 0; i < len(more); i += 2 {
		form.Add(more[i], more[i+1])
	}
	return form
}

// members are those of a JSON object.
func members(t *testing.T, text string) map[string]any {
	t.Helper()
	var all map[string]any
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&all); err != nil {
		t.Fatalf("%q is no JSON object: %v", text, err)
	}
	return all
}

// tokenFor gets a token that must be given.
func (s site) tokenFor(t *testing.T, client string, as *tls.Certificate, more ...string) string {
	t.Helper()
	got := s.post(t, posted{form: granting(client, more...), as: as})
	if got.status != http.StatusOK {
		t.Fatalf("no token for %s: status %d with %s", client, got.status, got.oauth)
	}
	text, _ := members(t, got.body)["access_token"].(string)
	return text
}

// refuses sends the form and expects the status and the OAuth error.
func (s site) refuses(t *testing.T, p posted, status int, oauth string) answer {
	t.Helper()
	got := s.post(t, p)
	if got.status != status || got.oauth != oauth {
		t.Errorf("%s: status %d with %q, want %d with %q", p.form.Encode(), got.status, got.oauth, status, oauth)
	}
	if strings.Contains(got.body, "access_token") {
		t.Error("a token was given")
	}
	return got
}

// carrying is a request with a bearer token.
func carrying(token string) http.Header { return http.Header{"Authorization": {"Bearer " + token}} }

// introspect asks about a token as the client.
func (s site) introspect(t *testing.T, client string, as *tls.Certificate, token string) map[string]any {
	t.Helper()
	got := s.post(t, posted{path: introspectPath, form: url.Values{"client_id": {client}, "token": {token}}, as: as})
	if got.status != http.StatusOK {
		t.Fatalf("introspection: status %d with %s", got.status, got.oauth)
	}
	return members(t, got.body)
}

// metadata fetches what the server says of itself.
func (s site) metadata(t *testing.T) map[string]any {
	t.Helper()
	got := s.get(t, metadataPath, nil)
	if got.status != http.StatusOK {
		t.Fatalf("metadata: status %d", got.status)
	}
	return members(t, got.body)
}

const metadataPath = "/.well-known/oauth-authorization-server"

// jsonNumber is a number as [members] has it.
func jsonNumber(text string) json.Number { return json.Number(text) }

// judged is the record of the endpoint that judged a request. There is one of the
// check in front of it too, which only handed it over.
func (w *world) judged(t *testing.T, id string) record {
	t.Helper()
	var found record
	eventually(t, "the endpoint has a record of "+id, func() bool {
		for _, r := range w.recordsOf(t, id) {
			if strings.HasSuffix(r.Route, "_endpoint") && r.Reason != "allowed_endpoint" {
				found = r
				return true
			}
		}
		return false
	})
	return found
}
