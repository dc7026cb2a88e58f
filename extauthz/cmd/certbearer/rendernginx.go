package main

import (
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/certbearer/certbearer/envoy"
	"github.com/certbearer/certbearer/envoy/nginx"
	"github.com/certbearer/certbearer/extauthz/config"
	"github.com/certbearer/certbearer/extauthz/discovery"
	"github.com/certbearer/certbearer/extauthz/peercert"
	"github.com/certbearer/certbearer/extauthz/tokenendpoint"
)

type renderNginxCommand struct {
	configFlag
	OutputDir string `help:"Write certbearer.conf into this folder, replacing it, instead of printing it. It is made where there is none." placeholder:"DIR"`
}

const nginxFile = "certbearer.conf"

// Help is shown below the usage.
func (renderNginxCommand) Help() string {
	return `Writes the configuration with which nginx asks for a client certificate without
judging it, asks certbearer about every request by auth_request, and puts the token
on it in the place of what the caller sent. It comes from the configuration's nginx
and proxies, and is to be included in nginx's http block.

nginx itself refuses a certificate that has expired, with 400, and passes the
leaf alone: docs/nginx.md says what follows from that.

  certbearer render nginx --config certbearer.yaml --output-dir /etc/nginx/conf.d
  nginx -t && nginx -s reload`
}

// Run renders.
func (r renderNginxCommand) Run(c *console) error {
	settings, err := r.load()
	if err != nil {
		return err
	}
	if err := settings.CheckNginx(r.file()); err != nil {
		return err
	}
	params, err := nginxParams(settings)
	if err != nil {
		return err
	}
	text, err := nginx.Config(params)
	if err != nil {
		return fmt.Errorf("%s: %w", r.file(), err)
	}
	warnOfNginxFiles(c.stderr, settings)
	if r.OutputDir == "" {
		_, err = c.stdout.Write(text)
		return err
	}
	return writeOutput(r.OutputDir, renderedFile{filepath.Join(r.OutputDir, nginxFile), text})
}

func nginxParams(c *config.Config) (nginx.Params, error) {
	proxy, _ := c.NginxProxy() // checked before
	metadata, err := discovery.MetadataPathOf(c.Issuer)
	if err != nil {
		return nginx.Params{}, err
	}
	params := nginx.Params{
		Listen:      c.Nginx.Listen,
		ServerNames: c.NginxServerNames(),
		Certificate: c.Nginx.Certificate,
		Key:         c.Nginx.Key,
		Certbearer:  nginx.Endpoint{Address: c.NginxAddress(proxy)},
		Header:      proxy.Header,
		Upstream:    nginx.Endpoint{Address: net.JoinHostPort(c.Nginx.Upstream.Host, strconv.Itoa(int(c.Nginx.Upstream.Port)))},
		Endpoints:   tokenendpoint.Paths(),
		Published:   []string{discovery.JWKSPath, metadata},
		Forgeable:   forgeable(c),
	}
	params.ClientCert = slices.ContainsFunc(c.Routes, func(r config.Route) bool { return r.Inject.ClientCert == config.ClientCertRFC9440 })
	if params.ClientCert { // it is set to ours, or to nothing
		params.Forgeable = slices.DeleteFunc(params.Forgeable, func(name string) bool { return name == peercert.ClientCertHeader })
	}
	if c.NginxTLS(proxy) {
		caller := c.Nginx.Caller
		params.Certbearer.TLS = &nginx.TLS{TrustedCA: caller.TrustedCA, ServerName: caller.ServerName, Certificate: caller.Certificate, Key: caller.Key}
	}
	if c.Nginx.Upstream.Scheme == "https" {
		params.Upstream.TLS = &nginx.TLS{TrustedCA: c.Nginx.UpstreamCA, ServerName: c.Nginx.Upstream.Host}
	}
	return params, nil
}

// forgeable are the headers that no caller may hand to the upstream: those in which
// it could believe a certificate, and those by which it could take another path or
// host than was decided about.
func forgeable(c *config.Config) []string {
	stripped, _ := envoy.StrippedHeaders() // nginx takes off no family by its beginning
	names := append(certificateHeaders(c), stripped...)
	names = append(names, "x-forwarded-client-cert", peercert.StatementHeader, "x-original-uri", "x-original-method", "x-original-host")
	slices.Sort(names)
	return slices.Compact(names)
}

// warnOfNginxFiles says which of the files that nginx will open cannot be used as
// they are here. It is no error: they may be on nginx's machine only.
func warnOfNginxFiles(w io.Writer, c *config.Config) {
	warnOfPair(w, "nginx", "nginx.certificate, nginx.key", c.Nginx.Certificate, c.Nginx.Key)
	warnOfPair(w, "nginx", "nginx.caller.certificate, nginx.caller.key", c.Nginx.Caller.Certificate, c.Nginx.Caller.Key)
}
