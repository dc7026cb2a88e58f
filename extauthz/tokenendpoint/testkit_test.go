package tokenendpoint_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/certbearer/certbearer/extauthz/audit"
	"github.com/certbearer/certbearer/extauthz/authn"
	"github.com/certbearer/certbearer/extauthz/peercert"
	"github.com/certbearer/certbearer/extauthz/signer"
	"github.com/certbearer/certbearer/extauthz/state"
	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/extauthz/tokenendpoint"
	"github.com/certbearer/certbearer/extauthz/tokens"
	"github.com/certbearer/certbearer/policies"
)

const (
	issuer   = "https://gateway.example"
	audience = "https://fhir.example/R4"
)

var statementKey = peercert.StatementKey{ID: "key", Secret: bytes.Repeat([]byte{7}, 32)}

// site is a server behind a proxy that states certificates, and what it leaves.
type site struct {
	*tokenendpoint.Server
	config      tokenendpoint.Config
	holder      *state.Holder
	keys        *signer.Keys
	revocations *tokens.Revocations
	registry    *prometheus.Registry
	output      bytes.Buffer
	recorder    *audit.Recorder
	panicked    bool
}

// newSite starts a server with a key and without clients. change may be nil.
func newSite(t testing.TB, change func(*tokenendpoint.Config)) *site {
	t.Helper()
	s := &site{holder: &state.Holder{}, registry: prometheus.NewRegistry()}
	s.recorder = audit.New(&s.output, audit.Limits{})
	t.Cleanup(func() { s.close(t) })
	var err error
	if s.keys, err = signer.Open(t.Context(), t.TempDir(), signer.Options{Generate: true}); err != nil {
		t.Fatal(err)
	}
	if s.revocations, err = tokens.OpenRevocations(filepath.Join(t.TempDir(), "revoked.jsonl")); err != nil {
		t.Fatal(err)
	}
	metrics, err := audit.NewMetrics(s.registry, audit.MetricsConfig{Routes: tokenendpoint.Names()})
	if err != nil {
		t.Fatal(err)
	}
	s.config = tokenendpoint.Config{
		State: s.holder, Authenticator: readerOf(t, peercert.Statement), Presented: stated,
		RequestID: func(r *http.Request) string { return r.Header.Get("X-Request-Id") },
		Source:    func(*http.Request) string { return "192.0.2.7" },
		Audit:     s.recorder, Metrics: metrics, Revoke: s.revoke,
		Panicked: func(any, []byte) { s.panicked = true },
		Issuer:   issuer, DefaultAudience: audience, InFlight: 10,
	}
	if change != nil {
		change(&s.config)
	}
	if s.Server, err = tokenendpoint.New(s.config); err != nil {
		t.Fatal(err)
	}
	s.holder.Publish(func(current state.State) state.State {
		current.Keys, current.Clients = s.keys, policies.Empty(policies.Options{})
		return current
	})
	return s
}

func readerOf(t testing.TB, source peercert.Source) *authn.Authenticator {
	t.Helper()
	reader, err := peercert.NewReader(peercert.Config{From: source})
	if err != nil {
		t.Fatal(err)
	}
	return authn.New(reader)
}

// stated holds a statement to the request as it came.
func stated(r *http.Request, _ *state.State, at time.Time) peercert.Presented {
	return peercert.Presented{
		Header: func(name string) []string { return r.Header[http.CanonicalHeaderKey(name)] },
		Statement: &peercert.StatementTerms{
			Key:      func(id string) ([]byte, bool) { return statementKey.Secret, id == statementKey.ID },
			Endpoint: issuer + r.URL.Path, Method: r.Method, At: at,
		},
	}
}

// revoke keeps a revocation and puts it in force, as a gateway does.
func (s *site) revoke(ctx context.Context, one tokens.Revocation) error {
	revoked, err := s.revocations.Add(ctx, one, nil)
	if err != nil {
		return err
	}
	s.holder.Publish(func(current state.State) state.State {
		current.Revoked = revoked
		return current
	})
	return nil
}

func (s *site) close(t testing.TB) {
	t.Helper()
	// The test's own context is over when it cleans up.
	if err := s.recorder.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

// records ends the recording and returns what was recorded.
func (s *site) records(t testing.TB) []map[string]any {
	t.Helper()
	s.close(t)
	var records []map[string]any
	for line := range strings.Lines(s.output.String()) {
		var record map[string]any
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		records = append(records, record)
	}
	return records
}

// decisions counts what was decided by an endpoint for a reason.
func (s *site) decisions(t testing.TB, endpoint, reason string) float64 {
	t.Helper()
	families, err := s.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, series := range family.GetMetric() {
			labels := map[string]string{}
			for _, label := range series.GetLabel() {
				labels[label.GetName()] = label.GetValue()
			}
			if family.GetName() == "certbearer_decisions_total" && labels["route"] == endpoint && labels["reason"] == reason {
				return series.GetCounter().GetValue()
			}
		}
	}
	t.Fatalf("nothing counts %s at %s", reason, endpoint)
	return 0
}

func (s *site) useKeys(keys *signer.Keys) {
	s.holder.Publish(func(current state.State) state.State {
		current.Keys = keys
		return current
	})
}

// put publishes a client, fields being its document besides the type.
func (s *site) put(t testing.TB, id string, fields map[string]any) {
	t.Helper()
	document := map[string]any{"resourceType": "ClientApplication", "id": id}
	for name, value := range fields {
		document[name] = value
	}
	text, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := policies.ParseFile(id+".json", text)
	if err != nil || parsed[0].Fault != nil {
		t.Fatal(err, parsed)
	}
	s.holder.Publish(func(current state.State) state.State {
		builder := current.Clients.Edit()
		builder.Put(parsed[0].Client)
		current.Clients = builder.Snapshot()
		return current
	})
}

// pin publishes a client that pins the certificate, with more of a document.
func (s *site) pin(t testing.TB, id string, leaf *testca.Issued, more map[string]any) {
	t.Helper()
	fields := map[string]any{"certificateTrustStore": string(leaf.PEM())}
	for name, value := range more {
		fields[name] = value
	}
	s.put(t, id, fields)
}

func selfSigned(t testing.TB, template testca.Template) *testca.Issued {
	t.Helper()
	issued, err := testca.SelfSigned(template)
	if err != nil {
		t.Fatal(err)
	}
	return issued
}

func issue(t testing.TB, by *testca.Issued, template testca.Template) *testca.Issued {
	t.Helper()
	issued, err := by.Issue(template)
	if err != nil {
		t.Fatal(err)
	}
	return issued
}

// statementOf is what the proxy sets for a connection that proved the certificate.
func statementOf(t testing.TB, leaf *testca.Issued, path, method string) string {
	t.Helper()
	text, err := peercert.SignStatement(statementKey, peercert.Evidence{Leaf: leaf.Certificate, Thumbprint: leaf.Thumbprint()}, issuer+path, method, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// asked is a POST to an endpoint on a connection that proved the certificate, none
// if it is nil.
func asked(t testing.TB, leaf *testca.Issued, path, body string) *http.Request {
	t.Helper()
	request := httptest.NewRequest(http.MethodPost, "https://gateway.example"+path, strings.NewReader(body))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("X-Request-Id", "request-1")
	if leaf != nil {
		request.Header.Set(peercert.StatementHeader, statementOf(t, leaf, path, http.MethodPost))
	}
	return request
}

// answer is what of a response matters.
type answer struct {
	status int
	header http.Header
	body   string
	JSON   map[string]any
}

func serve(t testing.TB, s *site, request *http.Request) answer {
	t.Helper()
	recorder := httptest.NewRecorder()
	s.ServeHTTP(recorder, request)
	got := answer{status: recorder.Code, header: recorder.Header(), body: recorder.Body.String()}
	if got.body != "" {
		if err := json.Unmarshal([]byte(got.body), &got.JSON); err != nil {
			t.Errorf("the body is no JSON: %v: %q", err, got.body)
		}
	}
	return got
}

// do asks as the client with the certificate.
func do(t testing.TB, s *site, leaf *testca.Issued, path string, parameters url.Values) answer {
	t.Helper()
	return serve(t, s, asked(t, leaf, path, parameters.Encode()))
}

// inWords is status and error, or what the answer says.
func (a answer) inWords() string {
	if code, ok := a.JSON["error"].(string); ok {
		return http.StatusText(a.status) + " " + code
	}
	return http.StatusText(a.status)
}

// grant is what the token endpoint is asked for, with more.
func grant(id string, more ...string) url.Values {
	values := url.Values{"grant_type": {"client_credentials"}, "client_id": {id}}
	for i := 0; i+1 < len(more); i += 2 {
		values[more[i]] = append(values[more[i]], more[i+1])
	}
	return values
}

// token is the token that the client gets, which it has to.
func (s *site) token(t testing.TB, leaf *testca.Issued, id string, more ...string) string {
	t.Helper()
	got := do(t, s, leaf, tokenendpoint.TokenPath, grant(id, more...))
	text, _ := got.JSON["access_token"].(string)
	if got.status != http.StatusOK || text == "" {
		t.Fatalf("no token: %s", got.inWords())
	}
	return text
}

// claims are those of a token that the keys of the site have signed.
func (s *site) claims(t testing.TB, text string) map[string]any {
	t.Helper()
	if _, err := (tokens.Terms{Issuer: issuer, Keys: s.keys, At: time.Now()}).Verify(text); err != nil {
		t.Fatal(err)
	}
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(text, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(raw, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

// minted is a token that the endpoint would not make, by the site's key.
func (s *site) minted(t testing.TB, change func(*tokens.Request)) tokens.Token {
	t.Helper()
	at := time.Now()
	request := tokens.Request{
		Issuer: issuer, ClientID: "lab-partner", Audience: audience, Thumbprint: [32]byte{1}, Use: tokens.UseAccess,
		Typ: tokens.TypAccessToken, Lifetime: time.Hour, NotAfter: at.AddDate(10, 0, 0), At: at,
	}
	change(&request)
	token, err := tokens.Mint(t.Context(), s.keys.All()[0], request)
	if err != nil {
		t.Fatal(err)
	}
	return token
}
