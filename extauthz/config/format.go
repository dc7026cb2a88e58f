package config

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Format is how a header holds the client's certificate.
type Format string

// The values of [Format].
const (
	// FormatXFCC is Envoy's x-forwarded-client-cert, as text or as JSON. It is a
	// proxy's only; on the gRPC listener it is [FromXFCC].
	FormatXFCC    Format = "xfcc"
	FormatALB     Format = "alb"
	FormatALBLeaf Format = "alb-leaf"
	FormatNginx   Format = "nginx"
	FormatRFC9440 Format = "rfc9440"
	FormatApache  Format = "apache"
	FormatHAProxy Format = "haproxy"
	FormatTraefik Format = "traefik"
)

// Formats returns the formats that any caller's header may have.
func Formats() []Format {
	return []Format{FormatALB, FormatALBLeaf, FormatNginx, FormatRFC9440, FormatApache, FormatHAProxy, FormatTraefik}
}

// header is where the proxy of the format sends it, "" where it has no header of
// its own.
func (f Format) header() string {
	switch f {
	case FormatXFCC:
		return "x-forwarded-client-cert"
	case FormatALB:
		return "x-amzn-mtls-clientcert"
	case FormatALBLeaf:
		return "x-amzn-mtls-clientcert-leaf"
	case FormatRFC9440:
		return "client-cert"
	case FormatTraefik:
		return "x-forwarded-tls-client-cert"
	}
	return ""
}

// maxHeaderName is far above any header's name that proxies use, in bytes.
const maxHeaderName = 64

// headerName is a field name (RFC 9110 section 5.1) in the alphabet that proxies
// agree about: many services read an underscore as a hyphen.
var headerName = regexp.MustCompile(`^[A-Za-z0-9-]+$`)

// readHeader reads the name of the header with the certificate.
func readHeader(m *mapping, format Format) string {
	header := text(m, "header", format.header(), parseHeaderName)
	switch {
	case m.broken || format == "":
	case format == FormatXFCC && m.has("header") && m.sound("header") && header != format.header():
		m.fail("header", "xfcc is read from "+format.header())
	case format != FormatXFCC && header == FormatXFCC.header():
		m.fail("header", header+" is Envoy's and holds no "+string(format))
	case header == "":
		m.require("header")
	}
	return header
}

func parseHeaderName(text string) (string, error) {
	name := strings.ToLower(text)
	switch {
	case !headerName.MatchString(text):
		return "", errors.New("want the name of a header, of letters, digits and hyphens, got " + quote(text))
	case len(text) > maxHeaderName:
		return "", fmt.Errorf("longer than %d bytes", maxHeaderName)
	case isTakenHeader(name):
		return "", errors.New(quote(text) + " has a meaning of its own; have the proxy write the certificate into another")
	}
	return name, nil
}

// isTakenHeader reports a header that says something else about a request, or
// about a connection only.
func isTakenHeader(name string) bool {
	switch name {
	case "authorization", "cookie", "host", "date", "expect", "origin", "forwarded", "range", "via", "accept",
		"content-length", "content-type", "content-encoding", "x-request-id", "client-cert-chain",
		"access-control-request-method", "access-control-request-headers",
		// RFC 9110 section 7.6.1
		"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
		"transfer-encoding", "upgrade":
		return true
	case "x-forwarded-client-cert", "x-forwarded-tls-client-cert":
		return false
	}
	for _, family := range []string{"certbearer-", "x-original-", "x-forwarded-", "x-envoy-", "sec-", "if-", "accept-"} {
		if strings.HasPrefix(name, family) {
			return true
		}
	}
	return false
}
