// Package nginx renders the configuration with which nginx asks certbearer about
// each request, by auth_request, and hands it the client's certificate.
package nginx

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"text/template"
)

// Params is what the configuration is made of. Paths are those that nginx will
// open.
type Params struct {
	// Listen is an IP address and a port, ServerNames the hosts that are served.
	Listen      string
	ServerNames []string
	// Certificate and Key are nginx's own.
	Certificate string
	Key         string
	// Certbearer is where certbearer is asked: "unix:/path" or host:port.
	Certbearer Endpoint
	// Header is where certbearer reads the certificate.
	Header string
	// Upstream is the service behind nginx.
	Upstream Endpoint
	// Endpoints are the paths of certbearer's own, Published those of what everybody
	// may read.
	Endpoints []string
	Published []string
	// Forgeable are headers of callers that must not reach the upstream.
	Forgeable []string
	// ClientCert: the proven certificate is handed on as RFC 9440 has it.
	ClientCert bool
}

// Endpoint is a server that nginx connects to; without TLS in the clear.
type Endpoint struct {
	Address string // "unix:/path" or host:port
	TLS     *TLS
}

// TLS is how nginx speaks it to a server.
type TLS struct {
	TrustedCA  string // the CAs of its certificate
	ServerName string // the name in it
	// Certificate and Key are nginx's side; both are empty where it has none.
	Certificate string
	Key         string
}

// Scheme is that of proxy_pass.
func (e Endpoint) Scheme() string {
	if e.TLS != nil {
		return "https"
	}
	return "http"
}

//go:embed template.conf
var text string

var file = template.Must(template.New("certbearer.conf").Funcs(template.FuncMap{"quote": quote}).Parse(text))

// Config returns the configuration, to be included in nginx's http block.
func Config(p Params) ([]byte, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := file.Execute(&b, p); err != nil {
		return nil, fmt.Errorf("nginx: %w", err)
	}
	return b.Bytes(), nil
}

// check refuses what is missing, and what nginx would read as more than a value:
// in quotes that is a quote, a backslash, a variable and a line break.
func (p Params) check() error {
	values := map[string]string{
		"Listen": p.Listen, "Certificate": p.Certificate, "Key": p.Key, "Certbearer": p.Certbearer.Address,
		"Header": p.Header, "Upstream": p.Upstream.Address,
	}
	for name, value := range values {
		if value == "" {
			return fmt.Errorf("nginx: %s is empty", name)
		}
	}
	if len(p.ServerNames) == 0 || len(p.Endpoints) == 0 {
		return errors.New("nginx: ServerNames or Endpoints are empty")
	}
	all := append(append(append(append([]string{}, p.ServerNames...), p.Endpoints...), p.Published...), p.Forgeable...)
	for _, value := range values {
		all = append(all, value)
	}
	for _, endpoint := range []Endpoint{p.Certbearer, p.Upstream} {
		if t := endpoint.TLS; t != nil {
			all = append(all, t.TrustedCA, t.ServerName, t.Certificate, t.Key)
		}
	}
	for _, value := range all {
		if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f || strings.ContainsRune("\"\\$", r) }) {
			return fmt.Errorf("nginx: %.80q cannot be written into its configuration", value)
		}
	}
	return nil
}

func quote(value string) string { return `"` + value + `"` }
