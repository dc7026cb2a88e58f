package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"

	"github.com/certbearer/certbearer/extauthz/config"
	"github.com/certbearer/certbearer/extauthz/signer"
	"github.com/certbearer/certbearer/extauthz/testca"
)

type initCommand struct {
	Dir        string `arg:"" help:"The folder to make. It may exist, if nothing of what is to be written is in it." placeholder:"DIR"`
	Upstream   string `help:"The service behind Envoy: http://, h2c:// or https:// (default: ${default})." default:"http://127.0.0.1:8080" placeholder:"URL"`
	UpstreamCA string `name:"upstream-ca" help:"The PEM file of the CAs that the certificate of an https upstream comes from." placeholder:"FILE"`
	Listen     string `help:"Where Envoy is to listen (default: ${default})." default:"127.0.0.1:8443" placeholder:"ADDRESS"`
}

// Help is shown below the usage.
func (initCommand) Help() string {
	return `Writes a configuration that "certbearer serve" and a real Envoy run unchanged:

  certbearer.yaml           the settings, each with its meaning
  clients/example.json      a client that pins pki/client.crt
  keys/                     a signing key, and a statement key
  pki/                      certificates for trying it out: Envoy's own, and a client's
  envoy.yaml, envoy-sds.yaml

Nothing that exists is overwritten, and of an init that fails nothing stays. Then:

  certbearer serve --config DIR/certbearer.yaml &
  envoy -c DIR/envoy.yaml &
  curl --cacert DIR/pki/server.crt --cert DIR/pki/client.crt --key DIR/pki/client.key https://localhost:8443/`
}

// Run writes the folder.
func (i initCommand) Run(c *console) error {
	site := site{Dir: i.Dir, Upstream: i.Upstream, Listen: i.Listen, Ops: "127.0.0.1:9193"}
	if err := i.placeUpstreamCA(&site); err != nil {
		return err
	}
	if err := site.create(c.ctx); err != nil {
		return byFlag(err)
	}
	in := func(names ...string) string { return shellWord(filepath.Join(append([]string{i.Dir}, names...)...)) }
	fmt.Fprintf(c.stdout, `%s is ready. Next:

  certbearer serve --config %s
  envoy -c %s
  curl --cacert %s --cert %s --key %s https://%s/

A client is a document in %s; example.json is one to copy.
The certificates in %s are for trying it out: replace them before others depend on them.
`, i.Dir, in(configFile), in(envoyFile), in("pki", "server.crt"), in("pki", "client.crt"), in("pki", "client.key"), localName(i.Listen), in("clients"), in("pki"))
	if site.Elsewhere() {
		fmt.Fprintf(c.stdout, `The path of %s is too long for Unix sockets, so they are in %s, which may be gone
after a restart of the machine: choose another folder at listen in %s for good.
`, i.Dir, shellWord(site.sockets), in(configFile))
	}
	return nil
}

// placeUpstreamCA reads the flag. The path stands in a file of another folder.
func (i initCommand) placeUpstreamCA(s *site) error {
	switch https := strings.HasPrefix(i.Upstream, "https://"); {
	case i.UpstreamCA == "" && https:
		return errors.New("--upstream: an https service needs --upstream-ca FILE, the CAs that its certificate comes from: Envoy has none of its own (Debian keeps the system's in /etc/ssl/certs/ca-certificates.crt)")
	case i.UpstreamCA == "":
		return nil
	case !https:
		return errors.New("--upstream-ca: has a meaning with an https upstream only")
	}
	if _, err := readRoots(i.UpstreamCA); err != nil {
		return fmt.Errorf("--upstream-ca: %w", err)
	}
	var err error
	s.UpstreamCA, err = filepath.Abs(i.UpstreamCA)
	return err
}

// byFlag names the flag in the place of the key that it fills: the file in which
// that stands was never written.
func byFlag(err error) error {
	var faults config.Errors
	if !errors.As(err, &faults) {
		return err
	}
	flags := map[string]string{"audience": "--upstream", "envoy.upstream": "--upstream", "issuer": "--listen", "envoy.listen": "--listen"}
	told := make(map[string]string)
	for _, fault := range faults {
		flag := flags[fault.Field]
		if flag == "" {
			return err
		}
		told[flag] = fault.Problem // that of the envoy section, which comes last, says most
	}
	var all []error
	for _, flag := range slices.Sorted(maps.Keys(told)) {
		all = append(all, fmt.Errorf("%s: %s", flag, told[flag]))
	}
	return errors.Join(all...)
}

// localName writes the address by a name that pki/server.crt has.
func localName(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	if ip, err := netip.ParseAddr(host); err == nil && (ip.IsUnspecified() || host == "127.0.0.1") {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}

const configFile = "certbearer.yaml"

// site is a folder with all that certbearer and Envoy need.
type site struct {
	Dir        string
	Upstream   string
	UpstreamCA string // absolute, "" for none
	Listen     string // Envoy's
	Ops        string
	Issuer     string // "" for https://localhost and the port of Listen
	AuditTo    string // "" for stdout
	Admin      string // Envoy's admin address, "" for none
	Access     string // Envoy's access log, "" for stdout

	sockets string // folder of the sockets, as it stands in the configuration
}

// create writes the folder. What is in the way, or wrong with the values, is an
// error before anything is written; what was written before another error is
// removed.
func (s *site) create(ctx context.Context) (err error) {
	made, err := s.vacant()
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			for _, path := range made {
				_ = os.RemoveAll(path) // the error that brought us here says more
			}
		}
	}()
	if err := s.placeSockets(); err != nil {
		return err
	}
	if s.Elsewhere() {
		made = append(made, s.sockets)
	}
	text, rendered, err := s.configuration()
	if err != nil {
		return err
	}
	for folder, mode := range map[string]fs.FileMode{"clients": 0o755, "pki": 0o755, "keys": 0o700} {
		if err := os.MkdirAll(filepath.Join(s.Dir, folder), mode); err != nil {
			return err
		}
	}
	if !s.Elsewhere() {
		if err := os.MkdirAll(filepath.Join(s.Dir, s.sockets), 0o750); err != nil {
			return err
		}
	}
	if err := s.writeCertificates(); err != nil {
		return err
	}
	if _, err := signer.NewKeeper(filepath.Join(s.Dir, "keys"), signer.Options{Generate: true}, signer.Rotation{}).Open(ctx); err != nil {
		return err
	}
	return errors.Join(os.WriteFile(filepath.Join(s.Dir, configFile), text, 0o644), writeFiles(rendered))
}

// vacant returns what create will make, all of which is not there yet, or says
// what is in the way.
func (s *site) vacant() (made []string, err error) {
	if s.Dir == "" {
		return nil, errors.New("DIR is empty: name the folder to make, such as certbearer init try")
	}
	switch info, err := os.Stat(s.Dir); {
	case errors.Is(err, fs.ErrNotExist) && !exists(s.Dir):
		return []string{s.Dir}, nil
	case err != nil:
		return nil, err
	case !info.IsDir():
		return nil, fmt.Errorf("%s exists already and is no folder", s.Dir)
	}
	for _, name := range []string{configFile, envoyFile, sdsFile, "clients", "keys", "pki"} {
		path := filepath.Join(s.Dir, name)
		if exists(path) {
			return nil, fmt.Errorf("%s exists already, and nothing is overwritten", path)
		}
		made = append(made, path)
	}
	if path := filepath.Join(s.Dir, socketFolder); !exists(path) {
		made = append(made, path)
	}
	return made, nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// socketFolder is in the site where its path is short enough.
const socketFolder = "run"

// maxSocketDir leaves room for the longest name in the 104 bytes that a socket's
// path has on macOS; Linux has 108.
const maxSocketDir = 104 - len("/extauthz.sock") - 1

// placeSockets chooses a folder of ours whose path is short enough.
func (s *site) placeSockets() error {
	absolute, err := filepath.Abs(filepath.Join(s.Dir, socketFolder))
	if err != nil {
		return err
	}
	if len(absolute) <= maxSocketDir {
		s.sockets = socketFolder
		return nil
	}
	s.sockets, err = os.MkdirTemp("", "certbearer-")
	if err != nil {
		return err
	}
	if len(s.sockets) > maxSocketDir {
		return errors.Join(fmt.Errorf("neither %s nor %s is short enough for a Unix socket: choose another DIR", absolute, s.sockets), os.Remove(s.sockets))
	}
	return os.Chmod(s.sockets, 0o750) // for Envoy, in a group of ours
}

// Elsewhere reports that the sockets are not in the site's own folder.
func (s *site) Elsewhere() bool { return filepath.IsAbs(s.sockets) }

// writeCertificates makes Envoy's certificate, and a client's as the seed's
// openssl commands do.
func (s *site) writeCertificates() error {
	server, err := testca.SelfSigned(testca.Template{
		CommonName:  "localhost",
		DNSNames:    []string{"localhost"},
		IPs:         s.addresses(),
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

// addresses are loopback, and Envoy's own.
func (s *site) addresses() []net.IP {
	all := []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	host, _, _ := net.SplitHostPort(s.Listen) // read before
	if ip := net.ParseIP(host); ip != nil && !ip.IsUnspecified() && !ip.IsLoopback() {
		all = append(all, ip)
	}
	return all
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

// configuration returns certbearer.yaml, read back as serve will, and Envoy's
// files made from it.
func (s *site) configuration() (text []byte, rendered []renderedFile, err error) {
	var b bytes.Buffer
	if err := configTemplate.Execute(&b, s); err != nil {
		return nil, nil, err
	}
	folder, err := filepath.Abs(s.Dir)
	if err != nil {
		return nil, nil, err
	}
	path := filepath.Join(s.Dir, configFile)
	settings, err := config.Parse(path, b.Bytes(), folder)
	if err != nil {
		return nil, nil, err
	}
	rendered, err = renderEnvoy(settings, folder)
	if err != nil {
		return nil, nil, inKeys(err, settings, path)
	}
	return b.Bytes(), rendered, nil
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
{{- if .Elsewhere}} The sockets are not in a folder beside this
# file, whose path is too long for them.{{end}}
listen:
  grpc: {{.GRPC | printf "%q"}}   # Envoy's checks
  http: {{.HTTP | printf "%q"}}   # the token endpoint, metadata, the JWKS
  ops: {{.Ops | printf "%q"}}   # /livez /readyz /healthz /metrics

# Where the proven certificate is read: peer (source.certificate), xfcc, or header
# behind another proxy, with its format.
certificate:
  from: peer

# What becomes of a caller's own Authorization header: verify, reject or replace.
inboundAuthorization: verify

# For "certbearer render envoy".
envoy:
  listen: {{.Listen | printf "%q"}}
  upstream: {{.Upstream | printf "%q"}}
{{- if .UpstreamCA}}
  upstreamCA: {{.UpstreamCA | printf "%q"}}
{{- end}}
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
