package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"strings"
)

// uriText is the alphabet of RFC 3986. net/url is more generous, and two
// readers of a more generous text may not read the same.
var uriText = regexp.MustCompile(`^([A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+$`)

var errNotIssuer = errors.New("want an https URL such as https://gateway.example.com")

// parseIssuer accepts an issuer identifier of RFC 8414 section 2, and returns
// it as written: tokens are compared with it byte by byte.
func parseIssuer(text string) (string, error) {
	u, err := parseURI(text)
	if err != nil || !strings.HasPrefix(text, "https://") || !hasHost(u) {
		return "", errNotIssuer
	}
	if u.User != nil || strings.ContainsAny(text, "?#") {
		return "", errors.New("an issuer has no user information, query or fragment")
	}
	if !isCleanPath(u.Path) {
		return "", errors.New("want a path without empty, . or .. segments")
	}
	return text, nil
}

// parseOrigin accepts scheme, host and port of https, and nothing behind them.
func parseOrigin(text string) (string, error) {
	u, err := parseURI(text)
	if err != nil || !strings.HasPrefix(text, "https://") || !hasHost(u) || u.User != nil || u.Path != "" || strings.ContainsAny(text, "?#") {
		return "", errors.New("want an origin such as https://mtls.gateway.example.com, without a path")
	}
	return text, nil
}

// Origin returns scheme, host and port of an issuer, which has been accepted
// before. Our endpoints stand there, whatever path the issuer has.
func Origin(issuer string) string {
	host, _, _ := strings.Cut(strings.TrimPrefix(issuer, "https://"), "/")
	return "https://" + host
}

// parseAudience accepts an absolute URI without a fragment (RFC 8707 section 2).
func parseAudience(text string) (string, error) {
	u, err := parseURI(text)
	if err != nil || !u.IsAbs() || isWeb(u) && !hasHost(u) {
		return "", errors.New("want an absolute URI such as https://api.example.com")
	}
	if u.User != nil || strings.Contains(text, "#") {
		return "", errors.New("an audience has no user information or fragment")
	}
	return text, nil
}

// Upstream is where Envoy sends admitted requests. The zero value means that
// none is configured.
type Upstream struct {
	// Scheme is "http" (HTTP/1.1), "h2c" (HTTP/2 in the clear, as gRPC needs) or
	// "https".
	Scheme string
	// Host is a DNS name or an IP address, without brackets.
	Host string
	Port uint16
}

// String returns the upstream as it is written in the file.
func (u Upstream) String() string {
	return u.Scheme + "://" + net.JoinHostPort(u.Host, fmt.Sprint(u.Port))
}

// errNotUpstream does not repeat the value: it may have a password before the
// host.
var errNotUpstream = errors.New("want http://host:port, h2c://host:port or https://host:port")

func parseUpstream(text string) (Upstream, error) {
	scheme, address, found := strings.Cut(text, "://")
	if !found || scheme != "http" && scheme != "h2c" && scheme != "https" {
		return Upstream{}, errNotUpstream
	}
	host, port, err := net.SplitHostPort(address)
	value, ok := portNumber(port)
	if err != nil || !isHost(host) || !ok || value == 0 {
		return Upstream{}, errNotUpstream
	}
	return Upstream{Scheme: scheme, Host: host, Port: value}, nil
}

func parseURI(text string) (*url.URL, error) {
	if !uriText.MatchString(text) {
		return nil, errors.New("not a URI")
	}
	return url.Parse(text)
}

func isWeb(u *url.URL) bool { return u.Scheme == "http" || u.Scheme == "https" }

// hasHost reports a host that can be connected to and, if there is a colon, a
// port behind it.
func hasHost(u *url.URL) bool {
	if !isHost(u.Hostname()) || strings.HasSuffix(u.Host, ":") {
		return false
	}
	port, ok := portNumber(u.Port())
	return u.Port() == "" || ok && port > 0
}

// isCleanPath reports a path without empty, "." or ".." segments; one slash at
// its end is allowed.
func isCleanPath(text string) bool {
	return text == "" || text == "/" || path.Clean(text) == strings.TrimSuffix(text, "/")
}

// isOurselves reports whether the audience names the issuer, its origin or one of
// our endpoints at either, in whatever spelling: a token for one of them would be a
// token against ourselves. Both have been accepted before.
func isOurselves(audience, issuer string) bool {
	for _, e := range append(endpoints(), endpoint{path: ""}) {
		if canonical(audience) == canonical(issuer)+e.path || canonical(audience) == canonical(Origin(issuer)+e.path) {
			return true
		}
	}
	return false
}

// canonical returns a URI in the form in which spellings of one resource are
// equal: lower-case host, shortest address, no default port, clean path, no
// query.
func canonical(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Opaque != "" {
		return text
	}
	host, port := strings.ToLower(u.Hostname()), u.Port()
	if address, err := netip.ParseAddr(host); err == nil {
		host = address.Unmap().String()
	}
	if port == "" && u.Scheme == "https" {
		port = "443"
	}
	return u.Scheme + "://" + net.JoinHostPort(host, port) + strings.TrimSuffix(path.Clean("/"+u.Path), "/")
}
