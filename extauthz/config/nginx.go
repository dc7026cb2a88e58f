package config

import (
	"errors"
	"net/url"
	"slices"
)

// Nginx is what `certbearer render nginx` needs to know. Upstream, Certificate and
// Key may be missing: see [Config.CheckNginx].
type Nginx struct {
	// Proxy names the entry of proxies that this nginx is, "" for the only one with
	// [FormatNginx].
	Proxy  string
	Listen string
	// ServerNames are the hosts; empty: that of MTLSOrigin, or of the issuer.
	ServerNames []string
	Upstream    Upstream
	// UpstreamCA is the PEM file of the CAs of an https upstream.
	UpstreamCA  string
	Certificate string
	Key         string
	// Address is where nginx reaches certbearer; empty: at the entry's socket, or
	// where listen.proxies listens.
	Address string
	// Caller is nginx's side of the TLS of listen.proxies.
	Caller EnvoyCaller
}

func readNginx(m *mapping, proxies []Proxy) Nginx {
	nginx := Nginx{
		Proxy:       text(m, "proxy", "", matching(routeName, "the name of an entry of proxies")),
		Listen:      text(m, "listen", "127.0.0.1:8443", hostPort),
		ServerNames: texts(m, "serverNames", parseServerNames),
		Upstream:    text(m, "upstream", Upstream{}, parseUpstream),
		UpstreamCA:  text(m, "upstreamCA", "", m.doc.filePath),
		Certificate: text(m, "certificate", "", m.doc.filePath),
		Key:         text(m, "key", "", m.doc.filePath),
		Address:     text(m, "address", "", m.doc.reachedAddress),
		Caller:      section(m, "caller", readEnvoyCaller),
	}
	named := func(p Proxy) bool { return p.Name == nginx.Proxy }
	if nginx.Proxy != "" && !m.doc.hasFault("proxies") && !slices.ContainsFunc(proxies, named) {
		m.fail("proxy", "no entry of proxies has this name")
	}
	if nginx.Upstream.Scheme == "h2c" {
		m.fail("upstream", "h2c: nginx does not speak HTTP/2 to services; want http or https")
	}
	return nginx
}

// parseServerNames leaves out the pattern for all hosts, which nginx has no name for.
func parseServerNames(text string) (string, error) {
	if text == "*" {
		return "", errors.New("want the names of hosts; nginx serves every other one too if it has no other server on that port")
	}
	return parseHostPattern(text)
}

// NginxProxy returns the entry of proxies that the nginx of `render nginx` is.
func (c *Config) NginxProxy() (Proxy, bool) {
	var found []Proxy
	for _, proxy := range c.Proxies {
		if proxy.Name == c.Nginx.Proxy || c.Nginx.Proxy == "" && proxy.Format == FormatNginx {
			found = append(found, proxy)
		}
	}
	if len(found) != 1 {
		return Proxy{}, false
	}
	return found[0], true
}

// NginxAddress is where nginx reaches certbearer.
func (c *Config) NginxAddress(proxy Proxy) string {
	switch {
	case c.Nginx.Address != "":
		return c.Nginx.Address
	case proxy.Socket != "":
		return proxy.Socket
	}
	return c.Listen.Proxies.Address
}

// NginxServerNames are the hosts that nginx serves.
func (c *Config) NginxServerNames() []string {
	if len(c.Nginx.ServerNames) > 0 {
		return c.Nginx.ServerNames
	}
	for _, origin := range []string{c.MTLSOrigin, c.Issuer} {
		if parsed, err := url.Parse(origin); err == nil && parsed.Hostname() != "" {
			return []string{parsed.Hostname()}
		}
	}
	return nil
}

// CheckNginx reports as [Errors] what `certbearer render nginx` needs and the
// configuration does not have. file is what the errors call the configuration.
func (c *Config) CheckNginx(file string) error {
	var missing Errors
	fail := func(field, problem string) {
		missing = append(missing, &Error{File: file, Field: field, Problem: problem})
	}
	need := func(field string, present bool) {
		if !present {
			fail(field, "required to render nginx's configuration")
		}
	}
	need("nginx.upstream", c.Nginx.Upstream != Upstream{})
	need("nginx.certificate", c.Nginx.Certificate != "")
	need("nginx.key", c.Nginx.Key != "")
	need("nginx.upstreamCA", c.Nginx.Upstream.Scheme != "https" || c.Nginx.UpstreamCA != "")
	proxy, found := c.NginxProxy()
	switch {
	case !found && c.Nginx.Proxy == "":
		fail("proxies", "none, or several, have format: nginx: write one, with a socket, or name it in nginx.proxy")
		return missing.asError()
	case proxy.Format != FormatNginx:
		fail("nginx.proxy", "the entry has format: "+string(proxy.Format)+"; nginx writes nginx")
	}
	if proxy.Socket == "" && c.Nginx.Address == "" && (isUnspecified(c.Listen.Proxies.Address) || hasPortZero(c.Listen.Proxies.Address)) {
		fail("nginx.address", "required, because listen.proxies is "+c.Listen.Proxies.Address+": write where nginx reaches it")
	}
	if c.NginxTLS(proxy) {
		need("nginx.caller.trustedCA", c.Nginx.Caller.TrustedCA != "")
		need("nginx.caller.serverName", c.Nginx.Caller.ServerName != "")
	}
	if len(proxy.MTLS) > 0 {
		need("nginx.caller.certificate", c.Nginx.Caller.Certificate != "")
		need("nginx.caller.key", c.Nginx.Caller.Key != "")
	}
	return missing.asError()
}

// NginxTLS reports that nginx speaks TLS to certbearer.
func (c *Config) NginxTLS(proxy Proxy) bool {
	return proxy.Socket == "" && c.Listen.Proxies.Certificate != ""
}
