package tokenendpoint_test

import (
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz/peercert"
	"github.com/certbearer/certbearer/extauthz/state"
	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/extauthz/tokenendpoint"
)

func TestEachExchangeLeavesOneRecord(t *testing.T) {
	leaf := selfSigned(t, testca.Template{CommonName: "lab"})
	s := newSite(t, nil)
	s.pin(t, "lab-partner", leaf, nil)
	token := s.token(t, leaf, "lab-partner")
	id := s.claims(t, token)["jti"]
	do(t, s, leaf, tokenendpoint.IntrospectPath, asking("lab-partner", token))
	do(t, s, leaf, tokenendpoint.IntrospectPath, asking("lab-partner", "garbage"))
	do(t, s, leaf, tokenendpoint.RevokePath, asking("lab-partner", token))
	do(t, s, nil, tokenendpoint.TokenPath, grant("lab-partner"))
	do(t, s, leaf, tokenendpoint.TokenPath, grant("lab-partner", "scope", "x"))
	thumbprint := leaf.Thumbprint()
	common := map[string]any{"request_id": "request-1", "method": "POST", "host": "gateway.example", "source": "192.0.2.7", "client_id": "lab-partner", "evidence": "statement"}
	known := map[string]any{
		"client": "lab-partner", "thumbprint": base64.RawURLEncoding.EncodeToString(thumbprint[:]), "subject": "CN=lab", "issuer": "CN=lab",
		"serial": leaf.Certificate.SerialNumber.Text(16), "not_after": leaf.Certificate.NotAfter.UTC().Format(time.RFC3339), "chain_length": 1.0,
	}
	want := []map[string]any{
		merged(common, known, map[string]any{"decision": "allow", "reason": "token_issued", "route": "token_endpoint", "path": "/oauth2/token", "token_id": id, "token_cached": false}),
		merged(common, known, map[string]any{"decision": "allow", "reason": "token_introspected", "route": "introspection_endpoint", "path": "/oauth2/introspect", "token_id": id, "token_cached": false}),
		merged(common, known, map[string]any{"decision": "allow", "reason": "token_introspected", "route": "introspection_endpoint", "path": "/oauth2/introspect"}),
		merged(common, known, map[string]any{"decision": "allow", "reason": "revocation_accepted", "route": "revocation_endpoint", "path": "/oauth2/revoke", "token_id": id, "token_cached": false}),
		merged(common, map[string]any{"decision": "deny", "reason": "certificate_missing", "route": "token_endpoint", "path": "/oauth2/token", "field": "certbearer-statement", "detail": "absent"}),
		merged(common, known, map[string]any{"decision": "deny", "reason": "scope_not_allowed", "route": "token_endpoint", "path": "/oauth2/token", "field": "scope", "detail": "value 1 of those asked for is not the client's",
			"certificate": string(leaf.PEM())}),
	}
	got := s.records(t)
	for _, record := range got {
		for _, varies := range []string{"time", "generation", "duration_us"} {
			if record[varies] == nil {
				t.Errorf("%s is missing in %v", varies, record)
			}
			delete(record, varies)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for _, counted := range []struct {
		endpoint, reason string
		want             float64
	}{
		{"token_endpoint", "token_issued", 1}, {"token_endpoint", "certificate_missing", 1}, {"token_endpoint", "scope_not_allowed", 1},
		{"introspection_endpoint", "token_introspected", 2}, {"revocation_endpoint", "revocation_accepted", 1},
	} {
		if got := s.decisions(t, counted.endpoint, counted.reason); got != counted.want {
			t.Errorf("%s at %s: %v", counted.reason, counted.endpoint, got)
		}
	}
}

func merged(all ...map[string]any) map[string]any {
	whole := map[string]any{}
	for _, part := range all {
		for name, value := range part {
			whole[name] = value
		}
	}
	return whole
}

func TestNothingThatIsSecretIsRecorded(t *testing.T) {
	leaf := selfSigned(t, testca.Template{CommonName: "lab"})
	s := newSite(t, nil)
	s.pin(t, "lab-partner", leaf, nil)
	token := s.token(t, leaf, "lab-partner")
	const secret = "s3cr3t-of-the-client"
	basic := base64.StdEncoding.EncodeToString([]byte("lab-partner:" + secret))
	values := grant("lab-partner", "client_secret", secret)
	for _, request := range []*http.Request{
		asked(t, leaf, tokenendpoint.TokenPath, values.Encode()),
		asked(t, nil, tokenendpoint.TokenPath, values.Encode()),
		asked(t, leaf, tokenendpoint.TokenPath, values.Encode()+"&client_secret="+secret),
		asked(t, leaf, tokenendpoint.TokenPath, values.Encode()+"&%"+secret),
		asked(t, leaf, tokenendpoint.TokenPath, secret+"="+secret+"&"+secret+"="+secret),
		asked(t, leaf, tokenendpoint.TokenPath, grant("lab-partner", "scope", secret).Encode()),
		asked(t, leaf, tokenendpoint.TokenPath, grant("lab-partner", "client_assertion", secret).Encode()),
		asked(t, leaf, tokenendpoint.IntrospectPath, asking("lab-partner", token).Encode()),
		asked(t, leaf, tokenendpoint.IntrospectPath, asking("lab-partner", secret).Encode()),
		asked(t, leaf, tokenendpoint.RevokePath, asking("lab-partner", token).Encode()),
	} {
		request.URL.RawQuery = "client_secret=" + secret
		serve(t, s, request)
		request.Header.Set("Authorization", "Basic "+basic)
		request.Body = io.NopCloser(strings.NewReader("client_id=lab-partner"))
		serve(t, s, request)
	}
	var metrics strings.Builder
	families, err := s.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		metrics.WriteString(family.String())
	}
	if records := s.records(t); len(records) != 21 {
		t.Errorf("%d records", len(records))
	}
	statement := strings.Split(statementOf(t, leaf, tokenendpoint.TokenPath, "POST"), ".")[0]
	for name, text := range map[string]string{"record": s.output.String(), "metric": metrics.String()} {
		for what, hidden := range map[string]string{
			"secret": secret, "secret, encoded,": basic, "token": token, "token's payload": strings.Split(token, ".")[1], "token's signature": strings.Split(token, ".")[2], "statement": statement,
		} {
			if strings.Contains(text, hidden) {
				t.Errorf("a %s has the %s", name, what)
			}
		}
	}
}

// held is a body that says when it is read, and is not done before it may be.
type held struct {
	reading chan<- struct{}
	done    <-chan struct{}
	text    *strings.Reader
}

func (h held) Read(to []byte) (int, error) {
	select {
	case h.reading <- struct{}{}:
	default: // it has said so
	}
	<-h.done
	return h.text.Read(to)
}

// A body that comes slowly keeps nobody out, and what holds when it is there decides.
func TestASlowBodyTakesNoPlaceAndIsDecidedWhenItIsThere(t *testing.T) {
	leaf, other := selfSigned(t, testca.Template{CommonName: "lab"}), selfSigned(t, testca.Template{CommonName: "other"})
	s := newSite(t, func(c *tokenendpoint.Config) { c.InFlight = 1 })
	s.pin(t, "lab-partner", leaf, nil)
	s.pin(t, "other", other, nil)
	reading, done, ended := make(chan struct{}, 1), make(chan struct{}), make(chan answer, 1)
	slow := asked(t, leaf, tokenendpoint.TokenPath, "")
	slow.Body = io.NopCloser(held{reading, done, strings.NewReader(grant("lab-partner").Encode())})
	go func() { ended <- serve(t, s, slow) }()
	<-reading
	if got := do(t, s, other, tokenendpoint.TokenPath, grant("other")); got.status != http.StatusOK {
		t.Errorf("beside a slow one: %s", got.inWords())
	}
	s.pin(t, "lab-partner", leaf, map[string]any{"status": "off"})
	close(done)
	if got := <-ended; got.status != http.StatusUnauthorized {
		t.Errorf("turned off while the body came: %s", got.inWords())
	}
}

func TestAPanicIsARefusalWithARecord(t *testing.T) {
	leaf := selfSigned(t, testca.Template{CommonName: "lab"})
	s := newSite(t, func(c *tokenendpoint.Config) {
		c.Presented = func(*http.Request, *state.State, time.Time) peercert.Presented { panic("a fault") }
	})
	s.pin(t, "lab-partner", leaf, nil)
	got := do(t, s, leaf, tokenendpoint.TokenPath, grant("lab-partner"))
	if got.inWords() != "Service Unavailable temporarily_unavailable" || !s.panicked || s.decisions(t, "token_endpoint", "internal_error") != 1 {
		t.Errorf("%s, told %v", got.inWords(), s.panicked)
	}
}

func TestARequestTooManyIsRefusedAtOnce(t *testing.T) {
	leaf := selfSigned(t, testca.Template{CommonName: "lab"})
	working, done, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
	s := newSite(t, func(c *tokenendpoint.Config) {
		c.InFlight = 1
		presented := c.Presented
		c.Presented = func(r *http.Request, st *state.State, at time.Time) peercert.Presented {
			if r.Header.Get("X-Request-Id") == "slow" {
				close(working)
				<-done
			}
			return presented(r, st, at)
		}
	})
	s.pin(t, "lab-partner", leaf, nil)
	slow := asked(t, leaf, tokenendpoint.TokenPath, grant("lab-partner").Encode())
	slow.Header.Set("X-Request-Id", "slow")
	go func() {
		defer close(ended)
		serve(t, s, slow)
	}()
	<-working
	for _, path := range tokenendpoint.Paths() {
		got := do(t, s, leaf, path, grant("lab-partner", "token", "x"))
		if got.inWords() != "Service Unavailable temporarily_unavailable" || got.header.Get("Retry-After") != "1" {
			t.Errorf("%s: %s %v", path, got.inWords(), got.header)
		}
		wantNotStored(t, got)
	}
	close(done)
	<-ended
	if got := do(t, s, leaf, tokenendpoint.TokenPath, grant("lab-partner")); got.status != http.StatusOK {
		t.Errorf("with room again: %s", got.inWords())
	}
	if s.decisions(t, "token_endpoint", "overloaded") != 1 {
		t.Error("it is not counted as overloaded")
	}
}
