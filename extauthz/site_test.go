package extauthz_test

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/certbearer/certbearer/extauthz"
	"github.com/certbearer/certbearer/extauthz/audit"
	"github.com/certbearer/certbearer/extauthz/authn"
	"github.com/certbearer/certbearer/extauthz/peercert"
	"github.com/certbearer/certbearer/extauthz/signer"
	"github.com/certbearer/certbearer/extauthz/state"
	"github.com/certbearer/certbearer/extauthz/testca"
	"github.com/certbearer/certbearer/extauthz/tokens"
	"github.com/certbearer/certbearer/policies"
)

const (
	issuer   = "https://gateway.example"
	audience = "https://fhir.example/R4"
)

// apiRoute asks for a certificate and covers all.
func apiRoute() extauthz.Route {
	return extauthz.Route{Name: "api", Audience: audience, Inject: extauthz.Inject{Typ: tokens.TypAccessToken}}
}

// site is a server, what it decides by, and what it leaves behind.
type site struct {
	*extauthz.Server
	config   extauthz.Config
	holder   *state.Holder
	key      *testKey
	registry *prometheus.Registry

	output   bytes.Buffer
	recorder *audit.Recorder

	mu     sync.Mutex
	panics []any
}

// newSite starts a server with a key and without clients. change may be nil.
func newSite(t testing.TB, change func(*extauthz.Config)) *site {
	t.Helper()
	s := &site{holder: &state.Holder{}, key: newKey(t), registry: prometheus.NewRegistry()}
	s.recorder = audit.New(&s.output, audit.Limits{})
	t.Cleanup(func() { s.close(t) })
	s.config = extauthz.Config{
		State:                 s.holder,
		Routes:                newRoutes(t, apiRoute()),
		Authenticator:         authenticator(t, peercert.Config{From: peercert.Peer}),
		Audit:                 s.recorder,
		Issuer:                issuer,
		DefaultAudience:       audience,
		InjectedTokenLifetime: 5 * time.Minute,
		RemoveHeaders:         []string{"x-forwarded-client-cert"},
		InFlight:              100,
		Panicked: func(value any, _ []byte) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.panics = append(s.panics, value)
		},
	}
	var err error
	if s.config.Tokens, err = tokens.NewCache(tokens.Options{}); err != nil {
		t.Fatal(err)
	}
	if s.config.Metrics, err = audit.NewMetrics(s.registry, audit.MetricsConfig{Routes: []string{"api"}}); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(&s.config)
	}
	if s.Server, err = extauthz.NewServer(s.config); err != nil {
		t.Fatal(err)
	}
	s.useKeys(t, s.key)
	return s
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

// count is the sum of a metric's series, of those with the label value if one
// is given.
func (s *site) count(t testing.TB, name, value string) float64 {
	t.Helper()
	families, err := s.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, series := range family.GetMetric() {
			found := value == ""
			for _, label := range series.GetLabel() {
				found = found || label.GetValue() == value
			}
			if found {
				sum += series.GetCounter().GetValue()
			}
		}
	}
	return sum
}

func (s *site) useKeys(t testing.TB, keys ...signer.Key) {
	t.Helper()
	set, err := signer.NewKeys(keys...)
	if err != nil {
		t.Fatal(err)
	}
	s.holder.Publish(func(current state.State) state.State {
		current.Keys = set
		return current
	})
}

func (s *site) useStatementKeys(t testing.TB) {
	t.Helper()
	keys, err := signer.OpenStatementKeys(t.Context(), t.TempDir(), signer.Options{Generate: true})
	if err != nil {
		t.Fatal(err)
	}
	s.holder.Publish(func(current state.State) state.State {
		current.Statement = keys
		return current
	})
}

// change publishes the clients that edit makes of the current ones.
func (s *site) change(edit func(*policies.Builder)) {
	s.holder.Publish(func(current state.State) state.State {
		if current.Clients == nil {
			current.Clients = policies.Empty(policies.Options{})
		}
		builder := current.Clients.Edit()
		edit(builder)
		current.Clients = builder.Snapshot()
		return current
	})
}

// useClients publishes the snapshot as it is.
func (s *site) useClients(snapshot *policies.Snapshot) {
	s.holder.Publish(func(current state.State) state.State {
		current.Clients = snapshot
		return current
	})
}

// put publishes a client, fields being its document besides the type.
func (s *site) put(t testing.TB, id string, fields map[string]any) {
	t.Helper()
	record := clientOf(t, id, fields)
	s.change(func(b *policies.Builder) { b.Put(record) })
}

// pin publishes a client that pins the certificates.
func (s *site) pin(t testing.TB, id string, all ...*testca.Issued) {
	t.Helper()
	s.put(t, id, map[string]any{"certificateTrustStore": storeOf(all...)})
}

func clientOf(t testing.TB, id string, fields map[string]any) *policies.Client {
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
	if err != nil {
		t.Fatal(err)
	}
	if parsed[0].Fault != nil {
		t.Fatal(parsed[0].Fault)
	}
	return parsed[0].Client
}

func storeOf(all ...*testca.Issued) string {
	var text strings.Builder
	for _, issued := range all {
		text.Write(issued.PEM())
	}
	return text.String()
}

func newRoutes(t testing.TB, routes ...extauthz.Route) *extauthz.Routes {
	t.Helper()
	made, err := extauthz.NewRoutes(routes)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func authenticator(t testing.TB, config peercert.Config) *authn.Authenticator {
	t.Helper()
	reader, err := peercert.NewReader(config)
	if err != nil {
		t.Fatal(err)
	}
	return authn.New(reader)
}

// testKey signs as before, if that is set, lets it.
type testKey struct {
	signer.Key
	before func() error
}

func (k *testKey) Sign(ctx context.Context, input []byte) ([]byte, error) {
	if k.before != nil {
		if err := k.before(); err != nil {
			return nil, err
		}
	}
	return k.Key.Sign(ctx, input)
}

func newKey(t testing.TB) *testKey {
	t.Helper()
	made, err := signer.Open(t.Context(), t.TempDir(), signer.Options{Generate: true})
	if err != nil {
		t.Fatal(err)
	}
	return &testKey{Key: made.All()[0]}
}
