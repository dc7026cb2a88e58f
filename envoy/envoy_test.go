package envoy_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"flag"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/certbearer/certbearer/envoy"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/certbearer/certbearer/envoy/envoytest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// base is what init would render.
func base() envoy.Params {
	return envoy.Params{
		Listen:            "127.0.0.1:8443",
		ServerCertificate: "server.crt",
		ServerKey:         "server.key",
		SDSPath:           "secrets.yaml",
		ExtAuthz:          envoy.Endpoint{Address: "unix:/run/certbearer/extauthz.sock"},
		HTTP:              envoy.Endpoint{Address: "unix:/run/certbearer/http.sock"},
		Upstream:          envoy.Upstream{Scheme: "http", Host: "127.0.0.1", Port: 8080},
		AccessLog:         "/dev/stdout",
	}
}

func with(change func(*envoy.Params)) envoy.Params {
	p := base()
	change(&p)
	return p
}

func routes() []envoy.Route {
	return []envoy.Route{
		{Name: "cors", Host: "api.example.com", PathPrefix: "/fhir", Access: envoy.Preflight},
		{Name: "fhir", Host: "api.example.com", PathPrefix: "/fhir", Methods: []string{"GET", "POST"}},
		{Name: "status", PathPrefix: "/status", Methods: []string{"GET"}, Access: envoy.Public},
		{Name: "rest", Access: envoy.Certificate},
	}
}

// configurations are the golden files by name.
func configurations() map[string]envoy.Params {
	clientTLS := &envoy.ClientTLS{Certificate: "client.crt", Key: "client.key", TrustedCA: "ca.crt", ServerName: "certbearer.internal"}
	byURI := *clientTLS
	byURI.ServerURI = "spiffe://cluster.local/ns/certbearer/sa/certbearer"
	return map[string]envoy.Params{
		"default": base(),
		"required": with(func(p *envoy.Params) {
			p.ClientCertificate = envoy.Required
			p.TrustedCA = "ca.crt"
			p.Timeout = 2 * time.Second
			p.AccessLog = ""
			p.HTTP = envoy.Endpoint{}
		}),
		"front": with(func(p *envoy.Params) {
			p.Front = &envoy.Front{TrustedCA: "ca.crt", SANs: []string{"spiffe://mesh/edge", "dns:edge.internal", "edge.example"}}
		}),
		"routes": with(func(p *envoy.Params) {
			p.Routes = routes()
			p.AdminListen = "127.0.0.1:0"
			p.AccessLog = "access.log"
		}),
		"mtls": with(func(p *envoy.Params) {
			p.Listen = "[::]:443"
			p.ExtAuthz = envoy.Endpoint{Address: "10.0.0.7:9191", TLS: clientTLS}
			p.HTTP = envoy.Endpoint{Address: "10.0.0.7:9192", TLS: &byURI}
			p.Upstream = envoy.Upstream{Scheme: "https", Host: "127.0.0.1", Port: 8443, TrustedCA: "ca.crt"}
		}),
		"public": with(func(p *envoy.Params) {
			p.PublicListen = "127.0.0.1:8444"
			p.Routes = append([]envoy.Route{
				{Name: "token_endpoint", PathPrefix: "/oauth2/token", Access: envoy.OwnEndpoint},
				{Name: "introspection_endpoint", PathPrefix: "/oauth2/introspect", Access: envoy.OwnEndpoint},
			}, routes()...)
			p.JWTAuthn = &envoy.JWTAuthn{Issuer: "https://localhost:8444", Audiences: []string{"http://127.0.0.1:8080"}}
		}),
		"legacy": with(func(p *envoy.Params) {
			p.Routes = append(routes(), envoy.Route{Name: "token_endpoint", PathPrefix: "/oauth2/token", Access: envoy.OwnEndpoint})
			p.WithoutCertificate = envoy.Legacy
			p.LegacyUpstream = envoy.Upstream{Scheme: "https", Host: "old.internal", Port: 8443, TrustedCA: "ca.crt"}
			p.JWTAuthn = &envoy.JWTAuthn{Issuer: "https://localhost:8443", Audiences: []string{"http://127.0.0.1:8080"}}
			p.PublicListen = "127.0.0.1:8444"
		}),
		"legacy_at_the_upstream": with(func(p *envoy.Params) { p.WithoutCertificate = envoy.Legacy }),
		"https_by_name": with(func(p *envoy.Params) {
			p.Upstream = envoy.Upstream{Scheme: "https", Host: "backend.example.com", Port: 443, TrustedCA: "ca.crt"}
		}),
		"jwt_authn": with(func(p *envoy.Params) {
			p.Routes = routes()
			p.JWTAuthn = &envoy.JWTAuthn{Issuer: "https://localhost:8443", Audiences: []string{"http://127.0.0.1:8080"}}
			p.Upstream.Scheme = "h2c"
		}),
	}
}

func TestGoldenFiles(t *testing.T) {
	for name, p := range configurations() {
		t.Run(name, func(t *testing.T) {
			compareGolden(t, name+".yaml", bootstrapYAML(t, p))
			for _, file := range secretFiles(t, p) {
				compareGolden(t, name+"."+filepath.Base(file.Path), toYAML(t, file.Document, nil))
			}
		})
	}
}

func TestEnvoyAcceptsEveryGoldenFile(t *testing.T) {
	binary := envoytest.Binary(t)
	for name, p := range configurations() {
		t.Run(name, func(t *testing.T) {
			config := place(t, p)
			if err := binary.Validate(t.Context(), config); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestYAMLIsTheSameEveryTime(t *testing.T) {
	p := configurations()["jwt_authn"]
	first := bootstrapYAML(t, p)
	for range 20 {
		if diff := cmp.Diff(string(first), string(bootstrapYAML(t, p))); diff != "" {
			t.Fatalf("two renderings differ (-first +later):\n%s", diff)
		}
	}
}

func bootstrapYAML(t *testing.T, p envoy.Params) []byte {
	t.Helper()
	b, err := envoy.Bootstrap(p)
	return toYAML(t, b, err)
}

func secretFiles(t *testing.T, p envoy.Params) []envoy.SecretFile {
	t.Helper()
	files, err := envoy.Secrets(p)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func toYAML(t *testing.T, m proto.Message, err error) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	text, err := envoy.YAML(m)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func compareGolden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		writeFile(t, path, got)
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs (-golden +rendered); if that is meant: go test ./envoy -update\n%s", path, diff)
	}
}

// place writes the configuration with absolute paths to files that exist and
// returns where it stands.
func place(t *testing.T, p envoy.Params) string {
	t.Helper()
	dir := t.TempDir()
	certificate, key := keyPair(t)
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"server.crt", "client.crt", "ca.crt"} {
		writeFile(t, at(name), certificate)
	}
	for _, name := range []string{"server.key", "client.key"} {
		writeFile(t, at(name), key)
	}
	p.ServerCertificate, p.ServerKey, p.SDSPath = at(p.ServerCertificate), at(p.ServerKey), at(p.SDSPath)
	for _, path := range []*string{&p.TrustedCA, &p.Upstream.TrustedCA, &p.LegacyUpstream.TrustedCA} {
		if *path != "" {
			*path = at(*path)
		}
	}
	if p.Front != nil {
		p.Front = &envoy.Front{TrustedCA: at(p.Front.TrustedCA), SANs: p.Front.SANs}
	}
	p.ExtAuthz.TLS, p.HTTP.TLS = placedTLS(p.ExtAuthz.TLS, at), placedTLS(p.HTTP.TLS, at)
	if p.AccessLog != "" && p.AccessLog != "/dev/stdout" {
		p.AccessLog = at(p.AccessLog)
	}
	for _, file := range secretFiles(t, p) {
		writeFile(t, file.Path, toYAML(t, file.Document, nil))
	}
	writeFile(t, at("envoy.yaml"), bootstrapYAML(t, p))
	return at("envoy.yaml")
}

func placedTLS(c *envoy.ClientTLS, at func(string) string) *envoy.ClientTLS {
	if c == nil {
		return nil
	}
	placed := *c
	placed.Certificate, placed.Key, placed.TrustedCA = at(c.Certificate), at(c.Key), at(c.TrustedCA)
	return &placed
}

func keyPair(t *testing.T) (certificate, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "localhost"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		DNSNames:     []string{"localhost"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
}

func writeFile(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
}
