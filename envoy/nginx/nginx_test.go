package nginx_test

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/envoy/nginx"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func params() nginx.Params {
	return nginx.Params{
		Listen: "0.0.0.0:443", ServerNames: []string{"gateway.example"},
		Certificate: "/etc/nginx/server.crt", Key: "/etc/nginx/server.key",
		Certbearer: nginx.Endpoint{Address: "unix:/run/certbearer/nginx.sock"},
		Header:     "x-mtls-cert",
		Upstream:   nginx.Endpoint{Address: "127.0.0.1:8080"},
		Endpoints:  []string{"/oauth2/token", "/oauth2/introspect", "/oauth2/revoke"},
		Published:  []string{"/.well-known/jwks.json", "/.well-known/oauth-authorization-server"},
		Forgeable:  []string{"x-mtls-cert", "client-cert", "x-forwarded-client-cert"},
	}
}

func remote() nginx.Params {
	p := params()
	p.Certbearer = nginx.Endpoint{Address: "certbearer.example:9443", TLS: &nginx.TLS{
		TrustedCA: "/etc/nginx/mesh-ca.crt", ServerName: "certbearer.example", Certificate: "/etc/nginx/nginx.crt", Key: "/etc/nginx/nginx.key",
	}}
	p.Upstream = nginx.Endpoint{Address: "orders.internal:8443", TLS: &nginx.TLS{TrustedCA: "/etc/nginx/internal-ca.crt", ServerName: "orders.internal"}}
	p.ClientCert, p.Forgeable = true, []string{"x-mtls-cert", "client-cert-chain", "x-forwarded-client-cert"}
	return p
}

func TestTheGoldenFiles(t *testing.T) {
	for file, p := range map[string]nginx.Params{"certbearer.conf": params(), "certbearer-remote.conf": remote()} {
		t.Run(file, func(t *testing.T) {
			got, err := nginx.Config(p)
			if err != nil {
				t.Fatal(err)
			}
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("bring it up to date with: go test ./envoy/nginx -update\n(-golden +got)\n%s", diff)
			}
		})
	}
}

// A location with a proxy_set_header of its own gets none of the server's, so each
// such location has to say what becomes of the certificate's header.
func TestNoLocationPassesACallersOwnCertificate(t *testing.T) {
	for name, p := range map[string]nginx.Params{"beside": params(), "remote": remote()} {
		text, err := nginx.Config(p)
		if err != nil {
			t.Fatal(err)
		}
		blocks := strings.Split(string(text), "    location ")
		if !strings.Contains(blocks[0], "proxy_set_header x-mtls-cert $ssl_client_escaped_cert;") {
			t.Errorf("%s: the server does not set it", name)
		}
		for _, block := range blocks[1:] {
			sets := strings.Contains(block, "proxy_set_header")
			if sets && !strings.Contains(block, "proxy_set_header x-mtls-cert ") {
				t.Errorf("%s: a location leaves the caller's own:\n%s", name, block)
			}
		}
	}
}

func TestWhatCannotBeWrittenIsRefused(t *testing.T) {
	for name, change := range map[string]func(*nginx.Params){
		"a path with a quote":           func(p *nginx.Params) { p.Certificate = `/a"; deny all; #` },
		"a path with a variable":        func(p *nginx.Params) { p.Key = "/a/$host" },
		"a path with a backslash":       func(p *nginx.Params) { p.Key = `/a\` },
		"a name with a line break":      func(p *nginx.Params) { p.ServerNames = []string{"a\nb"} },
		"no upstream":                   func(p *nginx.Params) { p.Upstream.Address = "" },
		"no header":                     func(p *nginx.Params) { p.Header = "" },
		"no names":                      func(p *nginx.Params) { p.ServerNames = nil },
		"a CA with a variable":          func(p *nginx.Params) { p.Upstream.TLS = &nginx.TLS{TrustedCA: "$x"} },
		"an endpoint with a line break": func(p *nginx.Params) { p.Endpoints = []string{"/a\n"} },
	} {
		p := params()
		change(&p)
		if text, err := nginx.Config(p); err == nil {
			t.Errorf("%s was written:\n%s", name, text)
		}
	}
}
