package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/certbearer/certbearer/extauthz/config"
	"github.com/certbearer/certbearer/extauthz/signer"
	"github.com/certbearer/certbearer/extauthz/testca"
)

type initCommand struct {
	Dir      string `arg:"" help:"The folder to make. It may exist, if nothing of what is to be written is in it." placeholder:"DIR"`
	Upstream string `help:"The service behind Envoy." default:"http://127.0.0.1:8080" placeholder:"URL"`
	Listen   string `help:"Where Envoy is to listen." default:"127.0.0.1:8443" placeholder:"ADDRESS"`
}

// Help is shown below the usage.
func (initCommand) Help() string {
	return `Writes a configuration that "certbearer serve" and a real Envoy run unchanged:

  certbearer.yaml           the settings, each with its meaning
  clients/example.json      a client that pins pki/client.crt
  keys/                     a signing key, and a statement key
  pki/                      certificates for trying it out: Envoy's own, and a client's
  envoy.yaml, envoy-sds.yaml

Nothing that exists is overwritten. Then:

  certbearer serve --config DIR/certbearer.yaml &
  envoy -c DIR/envoy.yaml &
  curl --cacert DIR/pki/server.crt --cert DIR/pki/client.crt --key DIR/pki/client.key https://localhost:8443/`
}

// Run writes the folder.
func (i initCommand) Run(c *console) error {
	site := site{Dir: i.Dir, Upstream: i.Upstream, Listen: i.Listen, Ops: "127.0.0.1:9193"}
	if err := site.create(c.ctx); err != nil {
		return err
	}
	fmt.Fprintf(c.stdout, `%[1]s is ready. Next:

  certbearer serve --config %[2]s
  envoy -c %[3]s
  curl --cacert %[1]s/pki/server.crt --cert %[1]s/pki/client.crt --key %[1]s/pki/client.key https://%[4]s/

A client is a document in %[1]s/clients; example.json is one to copy.
The certificates in %[1]s/pki are for trying it out: replace them before others depend on them.
`, i.Dir, filepath.Join(i.Dir, configFile), filepath.Join(i.Dir, envoyFile), localName(i.Listen))
	return nil
}

// localName writes the address by the name that pki/server.crt has.
func localName(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil || host != "127.0.0.1" {
		return address
	}
	return net.JoinHostPort("localhost", port)
}

const configFile = "certbearer.yaml"

// site is a folder with all that certbearer and Envoy need.
type site struct {
	Dir      string
	Upstream string
	Listen   string // Envoy's
	Ops      string
	Issuer   string // "" for https://localhost and the port of Listen
	AuditTo  string // "" for stdout
	Admin    string // Envoy's admin address, "" for none
	Access   string // Envoy's access log, "" for stdout

	sockets string // folder of the sockets, as it stands in the configuration
}

// create writes the folder. What is in the way is an error before anything is
// written.
func (s *site) create(ctx context.Context) error {
	for _, name := range []string{configFile, envoyFile, sdsFile, "clients", "keys", "pki"} {
		if _, err := os.Lstat(filepath.Join(s.Dir, name)); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s exists already, and nothing is overwritten", filepath.Join(s.Dir, name))
		}
	}
	for folder, mode := range map[string]fs.FileMode{"clients": 0o755, "pki": 0o755, "keys": 0o700} {
		if err := os.MkdirAll(filepath.Join(s.Dir, folder), mode); err != nil {
			return err
		}
	}
	if err := s.placeSockets(); err != nil {
		return err
	}
	if err := s.writeCertificates(); err != nil {
		return err
	}
	if _, err := signer.NewKeeper(filepath.Join(s.Dir, "keys"), signer.Options{Generate: true}, signer.Rotation{}).Open(ctx); err != nil {
		return err
	}
	return s.writeConfiguration()
}

// maxSocketDir leaves room for the longest name in the 104 bytes that a socket's
// path has on macOS; Linux has 108.
const maxSocketDir = 104 - len("/extauthz.sock") - 1

// placeSockets chooses a folder of ours whose path is short enough.
func (s *site) placeSockets() error {
	absolute, err := filepath.Abs(filepath.Join(s.Dir, "run"))
	if err != nil {
		return err
	}
	if len(absolute) <= maxSocketDir {
		s.sockets = "run"
		return os.MkdirAll(absolute, 0o750)
	}
	s.sockets, err = os.MkdirTemp("", "certbearer-")
	if err != nil {
		return err
	}
	if len(s.sockets) > maxSocketDir {
		return fmt.Errorf("neither %s nor %s is short enough for a Unix socket: choose another DIR", absolute, s.sockets)
	}
	return nil
}

// writeCertificates makes Envoy's certificate, and a client's as the seed's
// openssl commands do.
func (s *site) writeCertificates() error {
	server, err := testca.SelfSigned(testca.Template{
		CommonName:  "localhost",
		DNSNames:    []string{"localhost"},
		IPs:         []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	if err != nil {
		return err
	}
	client, err := testca.LikeOpenSSL("My Integration Client", "My Organization")
	if err != nil {
		return err
	}
	for name, issued := range map[string]*testca.Issued{"server": server, "client": client} {
		path := filepath.Join(s.Dir, "pki", name)
		if err := issued.WriteFiles(path+".crt", path+".key"); err != nil {
			return err
		}
	}
	return s.writeClient("example", "My Integration Client", string(client.PEM()))
}

// clientDocument is the document of a client, as small as it may be.
type clientDocument struct {
	ResourceType string `json:"resourceType"`
	ID           string `json:"id,omitempty"`
	Status       string `json:"status,omitempty"`
	Name         string `json:"name"`
	TrustStore   string `json:"certificateTrustStore"`
}

func (s *site) writeClient(id, name, trustStore string) error {
	return s.writeDocument(clientDocument{ResourceType: "ClientApplication", ID: id, Status: "active", Name: name, TrustStore: trustStore})
}

func (s *site) writeDocument(document clientDocument) error {
	text, err := json.MarshalIndent(document, "", "  ")
	if err != nil {
		return err
	}
	return replaceFile(filepath.Join(s.Dir, "clients", document.ID+".json"), append(text, '\n'))
}

// writeConfiguration writes certbearer.yaml, reads it back as serve will, and
// writes Envoy's files from it.
func (s *site) writeConfiguration() error {
	var text strings.Builder
	if err := configTemplate.Execute(&text, s); err != nil {
		return err
	}
	path := filepath.Join(s.Dir, configFile)
	if err := os.WriteFile(path, []byte(text.String()), 0o644); err != nil {
		return err
	}
	settings, err := config.Load(path)
	if err != nil {
		return err
	}
	return writeEnvoy(settings, s.Dir)
}

// The template's values.

func (s *site) GRPC() string { return "unix:" + s.sockets + "/extauthz.sock" }
func (s *site) HTTP() string { return "unix:" + s.sockets + "/http.sock" }

func (s *site) IssuerOrDefault() string {
	if s.Issuer != "" {
		return s.Issuer
	}
	return "https://" + localName(s.Listen)
}

var configTemplate = template.Must(template.New(configFile).Parse(`# certbearer's configuration. Paths are relative to this file's folder.
# An unknown key is an error. The README lists all keys.

# iss of every token.
issuer: {{.IssuerOrDefault | printf "%q"}}
# aud of the tokens that are put on requests: the service behind Envoy.
audience: {{.Upstream | printf "%q"}}

clients:
  directory: clients   # ClientApplication documents, live within a second
keys:
  directory: keys      # signing keys, made where there are none, a new one every 90 days

# A caller of a Unix socket is proven by the socket's mode, 0660. A TCP address
# takes "callers": see the README.
listen:
  grpc: {{.GRPC | printf "%q"}}   # Envoy's checks
  http: {{.HTTP | printf "%q"}}   # the JWKS
  ops: {{.Ops | printf "%q"}}   # /livez /readyz /healthz /metrics

# Where the proven certificate is read: peer (source.certificate) or xfcc.
certificate:
  from: peer

# What becomes of a caller's own Authorization header: verify, reject or replace.
inboundAuthorization: verify

# For "certbearer render envoy".
envoy:
  listen: {{.Listen | printf "%q"}}
  upstream: {{.Upstream | printf "%q"}}
  certificate: pki/server.crt
  key: pki/server.key
  clientCertificate: optional
  timeout: 500ms
{{- if .Admin}}
  adminListen: {{.Admin | printf "%q"}}
{{- end}}
{{- if .Access}}
  accessLog: {{.Access | printf "%q"}}
{{- end}}

log:
  format: json
  level: info
audit:
  to: {{if .AuditTo}}{{.AuditTo | printf "%q"}}{{else}}stdout{{end}}
`))
