package config_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz/config"
)

const baseDir = "/etc/certbearer"

// minimal is the shortest configuration that is accepted.
const minimal = "issuer: https://gateway.example.com\n" +
	"audience: https://api.example.com\n" +
	"listen: {grpc: \"unix:/run/certbearer/extauthz.sock\"}\n"

func defaults() *config.Config {
	return &config.Config{
		Issuer:   "https://gateway.example.com",
		Audience: "https://api.example.com",
		Clients:  config.Clients{Directory: "/etc/certbearer/clients", SharedAnchors: config.SharedAnchorsRefuse},
		Keys: config.SigningKeys{
			Directory: "/etc/certbearer/keys", Algorithm: config.ES256, Generate: true, PublishAhead: time.Hour, RotateEvery: 2160 * time.Hour,
		},
		Listen:                config.Listen{GRPC: "unix:/run/certbearer/extauthz.sock", Ops: "127.0.0.1:9193"},
		Callers:               config.Callers{Proof: config.ProofSocket},
		Certificate:           config.Certificate{From: config.FromPeer},
		InboundAuthorization:  config.InboundVerify,
		InjectedTokenLifetime: 5 * time.Minute,
		Inject:                config.Inject{Bind: config.BindCnf, Typ: config.TypeAccessToken, ClientCert: config.ClientCertNone},
		Routes: []config.Route{{
			Name: "default", Match: config.Match{Host: "*", PathPrefix: "/"}, Mode: config.ModeEnforce, Access: config.AccessCertificate,
			Audience: "https://api.example.com", InboundAuthorization: config.InboundVerify,
			Inject: config.Inject{Bind: config.BindCnf, Typ: config.TypeAccessToken, ClientCert: config.ClientCertNone},
		}},
		Compatibility: config.CompatibilityNone, Profile: config.ProfileNone, Mode: config.ModeEnforce,
		Revocation:  config.Revocation{Directory: "/etc/certbearer/crls", Refresh: time.Hour, Quota: 1024, Wait: 200 * time.Millisecond},
		Revocations: config.Revocations{File: "/etc/certbearer/revocations/revoked.jsonl"},
		Limits:      config.Limits{InFlight: 1024, TokenCacheEntries: 100_000, TokensPerClient: 64},
		Istio: config.Istio{
			Namespace: "certbearer", Image: "certbearer:dev", TrustDomain: "cluster.local", ClusterDomain: "cluster.local",
			CredentialName: "certbearer-gateway", Provider: config.ProviderGRPC,
			Gateway: config.IstioGateway{
				Namespace: "istio-system", Selector: "istio=ingressgateway",
				ServiceAccount: "istio-ingressgateway-service-account", Port: 443,
			},
		},
		Envoy: config.Envoy{
			Version: config.Envoy140, Listen: "127.0.0.1:8443", ClientCertificate: config.ClientCertificateOptional, WithoutCertificate: config.WithoutCertificateDeny,
			Timeout: 500 * time.Millisecond, AccessLog: config.ToStdout,
		},
		Nginx: config.Nginx{Listen: "127.0.0.1:8443"},
		Log:   config.Log{Format: config.LogJSON, Level: config.LogInfo},
		Audit: config.Audit{To: config.ToStdout},
	}
}

func TestEveryDefaultIsFilledIn(t *testing.T) {
	got, err := config.Parse("certbearer.yaml", []byte(minimal), baseDir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(defaults(), got); diff != "" {
		t.Errorf("defaults (-want +got):\n%s", diff)
	}
}

func TestFullExample(t *testing.T) {
	got, err := config.Load(filepath.Join("testdata", "full.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	dir, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(fullExample(dir), got); diff != "" {
		t.Errorf("full.yaml (-want +got):\n%s", diff)
	}
}

func fullExample(dir string) *config.Config {
	jwt := config.Inject{Bind: config.BindNone, Typ: config.TypeJWT, ClientCert: config.ClientCertRFC9440}
	return &config.Config{
		Issuer:     "https://gateway.example.com/mtls/",
		Audience:   "https://api.example.com",
		MTLSOrigin: "https://mtls.example.com:8443", Compatibility: config.CompatibilityMedplum, Profile: config.ProfileNone, Mode: config.ModeEnforce,
		Revocation: config.Revocation{
			Directory: dir + "/state/crls", Refresh: 10 * time.Minute, Quota: 64, Wait: 100 * time.Millisecond,
			Allow: []config.AllowedAddresses{
				{Addresses: []string{"10.0.4.7/32", "fd00:4::/32"}, Ports: []int{8080, 8443}},
				{Addresses: []string{"10.0.5.0/24"}},
			},
		},
		Revocations: config.Revocations{File: dir + "/state/revoked"},
		Clients:     config.Clients{Directory: dir + "/partners", Strict: true, SharedAnchors: config.SharedAnchorsAllow},
		Keys: config.SigningKeys{
			Directory: "/var/lib/certbearer/keys", Algorithm: config.PS256, PublishAhead: 90 * time.Minute, RotateEvery: 720 * time.Hour,
		},
		Listen: config.Listen{GRPC: "0.0.0.0:9191", HTTP: "unix:" + dir + "/run/http.sock", Ops: "[::1]:9193", Proxies: config.ListenProxies{
			Address: "0.0.0.0:9443", Certificate: dir + "/tls/proxies.crt", Key: dir + "/tls/proxies.key", TrustedCA: dir + "/tls/proxies-ca.crt",
		}},
		Proxies: []config.Proxy{
			{Name: "beside", Socket: "unix:" + dir + "/run/nginx.sock", Header: "x-mtls-cert", Format: config.FormatNginx},
			{Name: "edge", MTLS: []string{"spiffe://mesh/edge-proxy", "edge.internal"}, Header: "client-cert", Format: config.FormatRFC9440},
			{Name: "balancer", Addresses: []string{"10.0.1.0/24", "10.0.2.7/32", "2001:db8::/32"}, Header: "x-amzn-mtls-clientcert", Format: config.FormatALB},
		},
		Callers: config.Callers{
			Proof:       config.ProofMTLS,
			Certificate: dir + "/tls/server.crt", Key: dir + "/tls/server.key", TrustedCA: dir + "/tls/mesh-ca.crt",
			SANs: []string{"spiffe://mesh/ns/edge/sa/envoy", "dns:envoy.internal", "gateway.internal"},
		},
		Certificate:           config.Certificate{From: config.FromXFCC, Hops: 2},
		InboundAuthorization:  config.InboundReplace,
		InjectedTokenLifetime: 150 * time.Second,
		Inject:                jwt,
		Routes: []config.Route{{
			Name:  "preflight",
			Match: config.Match{Host: "*.example.com", PathPrefix: "/fhir", Methods: []string{"OPTIONS"}},
			Mode:  config.ModeEnforce, Access: config.AccessPreflight, InboundAuthorization: config.InboundReplace,
		}, {
			Name:  "health",
			Match: config.Match{Host: "*", PathPrefix: "/health", Methods: []string{"GET", "HEAD"}},
			Mode:  config.ModeEnforce, Access: config.AccessPublic, InboundAuthorization: config.InboundReject,
		}, {
			Name:  "fhir",
			Match: config.Match{Host: "*.example.com", PathPrefix: "/fhir"},
			Mode:  config.ModeEnforce, Access: config.AccessCertificate, ClientID: "lab-partner", Audience: "https://fhir.example.com/R4",
			Scope:                []string{"system/Observation.read", "system/Patient.read"},
			InboundAuthorization: config.InboundReject,
			Inject:               config.Inject{Bind: config.BindCnf, Typ: config.TypeAccessToken, ClientCert: config.ClientCertNone},
		}, {
			Name: "rest", Match: config.Match{Host: "*", PathPrefix: "/"}, Mode: config.ModeEnforce, Access: config.AccessCertificate,
			Audience: "https://api.example.com", InboundAuthorization: config.InboundReplace, Inject: jwt,
		}},
		Limits: config.Limits{InFlight: 256, TokenCacheEntries: 5000, TokensPerClient: 8},
		Istio: config.Istio{
			Namespace: "edge", Image: "registry.example:5000/certbearer:1.0", TrustDomain: "mesh.example", ClusterDomain: "cluster.example",
			Hosts: []string{"gateway.example", "*.partners.example"}, CredentialName: "edge-tls", Provider: config.ProviderHTTP,
			Gateway: config.IstioGateway{
				Namespace: "gateways", Selector: "app=edge,gateway.example/tier=public", ServiceAccount: "edge", Port: 8443,
			},
		},
		Envoy: config.Envoy{
			Version: config.Envoy137, Listen: "0.0.0.0:8443", Upstream: config.Upstream{Scheme: "https", Host: "api.internal", Port: 8080},
			Certificate: dir + "/tls/edge.crt", Key: dir + "/tls/edge.key",
			ClientCertificate: config.ClientCertificateRequired, WithoutCertificate: config.WithoutCertificateDeny, Timeout: 250 * time.Millisecond, JWTAuthn: true,
			AccessLog: dir + "/logs/access.log", AdminListen: "127.0.0.1:9901",
			UpstreamCA:  dir + "/envoy/upstream-ca.pem",
			GRPCAddress: "certbearer.internal:9191", HTTPAddress: "unix:" + dir + "/shared/http.sock",
			Front: config.EnvoyFront{TrustedCA: dir + "/envoy/mesh-ca.pem", SANs: []string{"spiffe://mesh/edge", "edge.internal"}},
			Caller: config.EnvoyCaller{
				Certificate: dir + "/envoy/caller.pem", Key: dir + "/envoy/caller-key.pem",
				TrustedCA: dir + "/envoy/certbearer-ca.pem", ServerName: "certbearer.internal",
			},
		},
		Nginx: config.Nginx{
			Proxy: "beside", Listen: "0.0.0.0:8444", ServerNames: []string{"gateway.example.com", "*.example.com"},
			Upstream:   config.Upstream{Scheme: "https", Host: "api.internal", Port: 8080},
			UpstreamCA: dir + "/nginx/upstream-ca.pem", Certificate: dir + "/nginx/server.crt", Key: dir + "/nginx/server.key",
			Address: "unix:" + dir + "/shared/nginx.sock",
			Caller: config.EnvoyCaller{
				Certificate: dir + "/nginx/caller.pem", Key: dir + "/nginx/caller-key.pem",
				TrustedCA: dir + "/nginx/certbearer-ca.pem", ServerName: "certbearer.internal",
			},
		},
		Log:   config.Log{Format: config.LogText, Level: config.LogDebug},
		Audit: config.Audit{To: dir + "/logs/audit.jsonl"},
	}
}

// endpoints are the routes that come with listen.http.
func endpoints() []config.Route {
	var routes []config.Route
	for _, e := range [][2]string{{"token_endpoint", "token"}, {"introspection_endpoint", "introspect"}, {"revocation_endpoint", "revoke"}} {
		routes = append(routes, config.Route{
			Name: e[0], Match: config.Match{Host: "*", PathPrefix: "/oauth2/" + e[1]},
			Mode: config.ModeEnforce, Access: config.AccessEndpoint, InboundAuthorization: config.InboundVerify,
		})
	}
	return routes
}

func TestAccepted(t *testing.T) {
	cases := map[string]struct {
		yaml string
		want func(*config.Config)
	}{
		"an issuer keeps its trailing slash, its port and its case": {
			strings.Replace(minimal, "https://gateway.example.com", "https://Gateway.example.com:443/", 1),
			func(c *config.Config) { c.Issuer = "https://Gateway.example.com:443/" },
		},
		"callers may be given up on TCP when it is written out": {
			strings.Replace(minimal, "unix:/run/certbearer/extauthz.sock", "127.0.0.1:9191", 1) + "callers: unauthenticated\n",
			func(c *config.Config) {
				c.Listen.GRPC = "127.0.0.1:9191"
				c.Callers.Proof = config.ProofNone
			},
		},
		"empty addresses turn listeners off": {
			strings.Replace(minimal, "{grpc", "{ops: \"\", http: \"\", admin: \"\", grpc", 1),
			func(c *config.Config) { c.Listen.Ops = "" },
		},
		"port 0 may stand twice, because it is another port each time": {
			strings.Replace(minimal, "{grpc", "{ops: \"127.0.0.1:0\", http: \"127.0.0.1:0\", grpc", 1),
			func(c *config.Config) {
				c.Listen.Ops, c.Listen.HTTP = "127.0.0.1:0", "127.0.0.1:0"
				c.Routes = append(endpoints(), c.Routes...)
			},
		},
		"a listener that ends TLS itself": {
			strings.Replace(minimal, "{grpc", "{tls: {address: \"0.0.0.0:8444\", certificate: a.crt, key: a.key}, grpc", 1),
			func(c *config.Config) {
				c.Listen.TLS = config.ListenTLS{Address: "0.0.0.0:8444", Certificate: "/etc/certbearer/a.crt", Key: "/etc/certbearer/a.key"}
			},
		},
		"the certificate in a header of a proxy in front": {
			minimal + "certificate: {from: header, header: X-SSL-Cert, format: haproxy}\n", func(c *config.Config) {
				c.Certificate = config.Certificate{From: config.FromHeader, Header: "x-ssl-cert", Format: config.FormatHAProxy}
			},
		},
		"a header that the format has of its own": {
			minimal + "certificate: {from: header, format: alb-leaf}\n", func(c *config.Config) {
				c.Certificate = config.Certificate{From: config.FromHeader, Header: "x-amzn-mtls-clientcert-leaf", Format: config.FormatALBLeaf}
			},
		},
		"a proxy that writes Envoy's header, on a socket of its own": {
			minimal + "proxies: [{name: mesh, socket: \"unix:/run/mesh.sock\", header: x-forwarded-client-cert, format: xfcc}]\n", func(c *config.Config) {
				c.Proxies = []config.Proxy{{Name: "mesh", Socket: "unix:/run/mesh.sock", Header: "x-forwarded-client-cert", Format: config.FormatXFCC}}
			},
		},
		"a proxy that is known by its address, over plain HTTP": {
			strings.Replace(minimal, "{grpc", "{proxies: {address: \"0.0.0.0:9080\"}, grpc", 1) + "proxies: [{name: alb, addresses: [10.0.0.0/8], format: alb}]\n", func(c *config.Config) {
				c.Listen.Proxies = config.ListenProxies{Address: "0.0.0.0:9080"}
				c.Proxies = []config.Proxy{{Name: "alb", Addresses: []string{"10.0.0.0/8"}, Header: "x-amzn-mtls-clientcert", Format: config.FormatALB}}
			},
		},
		"the profile of FAPI 2.0": {
			minimal + "profile: fapi2\n", func(c *config.Config) { c.Profile = config.ProfileFAPI2 },
		},
		"a relative socket is in the folder of the file": {
			strings.Replace(minimal, "unix:/run/certbearer", "unix:../run/./x", 1),
			func(c *config.Config) { c.Listen.GRPC = "unix:/etc/run/x/extauthz.sock" },
		},
		"an empty list of routes is no list": {minimal + "routes: []\n", func(*config.Config) {}},
		"a file named like a word is written with a folder": {
			minimal + "audit: {to: ./none}\n", func(c *config.Config) { c.Audit.To = "/etc/certbearer/none" },
		},
		"a key may sign for ever": {
			minimal + "keys: {rotateEvery: 0s}\n", func(c *config.Config) { c.Keys.RotateEvery = 0 },
		},
		"never is the same in any unit, and in none": {
			minimal + "keys: {rotateEvery: 0, publishAhead: 720h}\n",
			func(c *config.Config) { c.Keys.RotateEvery, c.Keys.PublishAhead = 0, 720*time.Hour },
		},
		"a key may sign for twice the time that the next one waits": {
			minimal + "keys: {rotateEvery: 2h}\n", func(c *config.Config) { c.Keys.RotateEvery = 2 * time.Hour },
		},
		"Ed25519 signs by the name that JWS has for it": {
			minimal + "keys: {algorithm: EdDSA}\n", func(c *config.Config) { c.Keys.Algorithm = config.EdDSA },
		},
		"words turn logs off": {
			minimal + "audit: {to: none}\nenvoy: {accessLog: \"\"}\n",
			func(c *config.Config) { c.Audit.To, c.Envoy.AccessLog = config.ToNone, "" },
		},
		"no audience is needed if every certificate route names its own": {
			strings.Replace(minimal, "audience: https://api.example.com\n", "", 1) +
				"routes: [{name: a, audience: \"urn:example:a\"}]\n",
			func(c *config.Config) {
				c.Audience = ""
				c.Routes[0].Name, c.Routes[0].Audience = "a", "urn:example:a"
			},
		},
		"a preflight route does not hide other OPTIONS requests": {
			minimal + "routes: [{name: default, match: {methods: [OPTIONS]}}, {name: p, access: preflight}]\n",
			func(c *config.Config) {
				c.Routes[0].Match.Methods = []string{"OPTIONS"}
				c.Routes = append(c.Routes, config.Route{
					Name: "p", Match: c.Routes[0].Match, Mode: config.ModeEnforce, Access: config.AccessPreflight, InboundAuthorization: config.InboundVerify,
				})
			},
		},
		"shadow is for every route that does not say otherwise": {
			minimal + "mode: shadow\nroutes: [{name: default}, {name: p, match: {pathPrefix: /p}, mode: enforce}]\n",
			func(c *config.Config) {
				c.Mode, c.Routes[0].Mode = config.ModeShadow, config.ModeShadow
				enforced := c.Routes[0]
				enforced.Name, enforced.Match.PathPrefix, enforced.Mode = "p", "/p", config.ModeEnforce
				c.Routes = append(c.Routes, enforced)
			},
		},
		"shadow is never for our own endpoints": {
			strings.Replace(minimal, "{grpc", "{http: \"127.0.0.1:0\", grpc", 1) + "mode: shadow\n",
			func(c *config.Config) {
				c.Listen.HTTP, c.Mode = "127.0.0.1:0", config.ModeShadow
				c.Routes[0].Mode = config.ModeShadow
				c.Routes = append(endpoints(), c.Routes...)
			},
		},
		"a route alone may be in shadow": {
			minimal + "routes: [{name: default, mode: shadow}]\n", func(c *config.Config) { c.Routes[0].Mode = config.ModeShadow },
		},
		"who has no certificate may go on as before": {
			minimal + "envoy: {withoutCertificate: legacy, legacyUpstream: \"https://old.internal:8443\", legacyUpstreamCA: old.pem}\n",
			func(c *config.Config) {
				c.Envoy.WithoutCertificate = config.WithoutCertificateLegacy
				c.Envoy.LegacyUpstream = config.Upstream{Scheme: "https", Host: "old.internal", Port: 8443}
				c.Envoy.LegacyUpstreamCA = "/etc/certbearer/old.pem"
			},
		},
		"nothing that was fetched may be kept, and nobody wait": {
			minimal + "revocation: {directory: \"\", wait: 0s}\n", func(c *config.Config) { c.Revocation.Directory, c.Revocation.Wait = "", 0 },
		},
		"what was fetched is kept beside the keys": {
			minimal + "keys: {directory: /var/lib/certbearer/keys}\n", func(c *config.Config) {
				c.Keys.Directory, c.Revocation.Directory = "/var/lib/certbearer/keys", "/var/lib/certbearer/crls"
			},
		},
		"where Envoy is less patient, so are we": {
			minimal + "envoy: {timeout: 100ms}\n", func(c *config.Config) { c.Envoy.Timeout, c.Revocation.Wait = 100*time.Millisecond, 40*time.Millisecond },
		},
		"JSON is YAML": {
			`{"issuer": "https://gateway.example.com", "audience": "https://api.example.com", "listen": {"grpc": "unix:/run/certbearer/extauthz.sock"}}`,
			func(*config.Config) {},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := config.Parse("certbearer.yaml", []byte(c.yaml), baseDir)
			if err != nil {
				t.Fatal(err)
			}
			want := defaults()
			c.want(want)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("configuration (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLoadResolvesAgainstTheFolderOfTheFile(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "certbearer.yaml"), []byte(minimal), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Dir(dir))
	got, err := config.Load(filepath.Join(filepath.Base(dir), "certbearer.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(dir, "clients"); got.Clients.Directory != want {
		t.Errorf("clients.directory is %s, want %s", got.Clients.Directory, want)
	}
}

func TestLoadSaysThatTheFileIsMissing(t *testing.T) {
	_, err := config.Load(filepath.Join(t.TempDir(), "certbearer.yaml"))
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want fs.ErrNotExist", err)
	}
}

func TestLoadReadsNoMoreThanTheBound(t *testing.T) {
	path := filepath.Join(t.TempDir(), "certbearer.yaml")
	if err := os.WriteFile(path, []byte(minimal+"#"+strings.Repeat("x", config.MaxSize)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := config.Load(path)
	if want := path + ": larger than 1048576 bytes"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestRenderingEnvoyNeedsMore(t *testing.T) {
	bare, err := config.Parse("c.yaml", []byte(minimal), baseDir)
	if err != nil {
		t.Fatal(err)
	}
	want := "c.yaml: envoy.upstream: required to render Envoy's configuration\n" +
		"c.yaml: envoy.certificate: required to render Envoy's configuration\n" +
		"c.yaml: envoy.key: required to render Envoy's configuration"
	if err := bare.CheckEnvoy("c.yaml"); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if err := fullExample("/x").CheckEnvoy("c.yaml"); err != nil {
		t.Errorf("the full example: %v", err)
	}
}

func TestRenderingEnvoyNeedsWhatTheRestOfTheFileMakesNecessary(t *testing.T) {
	const rest = "envoy: {upstream: \"http://a:80\", certificate: b, key: c}\n"
	for name, c := range map[string]struct{ yaml, want string }{
		"where Envoy reaches a listener of every network": {
			strings.Replace(minimal, socket, `"0.0.0.0:9191", http: "[::]:9192"`, 1) + "callers: unauthenticated\n" + rest,
			"c.yaml: envoy.grpcAddress: required, because listen.grpc is 0.0.0.0:9191: write where Envoy reaches it\n" +
				"c.yaml: envoy.httpAddress: required, because listen.http is [::]:9192: write where Envoy reaches it"},
		"who stands in front, with hops": {
			more("certificate: {from: xfcc, hops: 2}") + rest,
			"c.yaml: envoy.front.trustedCA: required to render Envoy's configuration\n" +
				"c.yaml: envoy.front.sans: required to render Envoy's configuration"},
		"the CA of an old upstream over https": {
			minimal + strings.TrimSuffix(rest, "}\n") + ", withoutCertificate: legacy, legacyUpstream: \"https://old:443\"}\n",
			"c.yaml: envoy.legacyUpstreamCA: required to render Envoy's configuration"},
		"nobody in front, with one hop": {more("certificate: {from: xfcc, hops: 1}") + rest, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			if err := parse(t, c.yaml).CheckEnvoy("c.yaml"); err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Whoever uses a value can say where it stands.
func TestAFaultThatIsFoundLaterHasItsLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(path, []byte(more("routes:\n- name: a\n- name: b\n  match: {pathPrefix: /b}")), 0o600); err != nil {
		t.Fatal(err)
	}
	for field, want := range map[string]string{
		"listen.grpc":                path + ":3: listen.grpc: wrong",
		"routes[1].match.pathPrefix": path + ":7: routes[1].match.pathPrefix: wrong",
		"routes[1].match.host":       path + ":7: routes[1].match.host: wrong",
		"envoy.listen":               path + ": envoy.listen: wrong",
	} {
		if got := config.At(path, field, "wrong").Error(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if got := config.At(path+".not", "issuer", "wrong").Error(); got != path+".not: issuer: wrong" {
		t.Errorf("of a file that is gone: %s", got)
	}
}

func TestUpstreamIsWrittenAsItWasRead(t *testing.T) {
	for _, text := range []string{"http://127.0.0.1:8080", "https://[::1]:443", "http://api_1:80"} {
		got, err := config.Parse("c.yaml", []byte(minimal+"envoy: {upstream: \""+text+"\"}\n"), baseDir)
		if err != nil {
			t.Fatal(err)
		}
		if got.Envoy.Upstream.String() != text {
			t.Errorf("%s became %s", text, got.Envoy.Upstream)
		}
	}
}
