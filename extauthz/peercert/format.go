package peercert

import (
	"fmt"
	"strings"
)

// Format says how a header that is no x-forwarded-client-cert holds the client's
// certificate. docs/evidence.md says which proxy writes which.
type Format string

// The formats. "URL-encoded" is percent-encoding as a path has it (RFC 3986
// section 2.1), in which a plus sign is a plus sign.
const (
	// FormatALB is URL-encoded PEM of the whole chain, the leaf first: what AWS
	// ALB sends in passthrough mode. It leaves "+", "/" and "=" as they are.
	FormatALB Format = "alb"
	// FormatALBLeaf is the same of the leaf alone: ALB's verify mode.
	FormatALBLeaf Format = "alb-leaf"
	// FormatNginx is URL-encoded PEM of the leaf: $ssl_client_escaped_cert.
	FormatNginx Format = "nginx"
	// FormatRFC9440 is a structured field (RFC 8941): one byte sequence of DER
	// in Client-Cert, and a list of them, without the leaf, in a second header
	// of that name with "-chain" behind it (RFC 9440 sections 2.2 and 2.3).
	FormatRFC9440 Format = "rfc9440"
	// FormatApache is PEM of the leaf on one line, each line break a space:
	// %{SSL_CLIENT_CERT}s of mod_headers. "(null)" stands for no certificate.
	FormatApache Format = "apache"
	// FormatHAProxy is base64 of the leaf's DER: ssl_c_der,base64.
	FormatHAProxy Format = "haproxy"
	// FormatTraefik is base64 of DER, URL-encoded or not, of the whole chain, the
	// leaf first, with commas between: passTLSClientCert with pem.
	FormatTraefik Format = "traefik"
)

// Formats returns all formats, in the order of their constants.
func Formats() []Format {
	return []Format{FormatALB, FormatALBLeaf, FormatNginx, FormatRFC9440, FormatApache, FormatHAProxy, FormatTraefik}
}

// DefaultHeader returns the lower-case name of the header in which the proxy of
// the format sends it, "" where the proxy has none of its own.
func (f Format) DefaultHeader() string {
	switch f {
	case FormatALB:
		return "x-amzn-mtls-clientcert"
	case FormatALBLeaf:
		return "x-amzn-mtls-clientcert-leaf"
	case FormatRFC9440:
		return ClientCertHeader
	case FormatTraefik:
		return "x-forwarded-tls-client-cert"
	}
	return ""
}

// checkFormat returns an error about a format or a header's name that cannot be.
func checkFormat(f Format, name string) error {
	known := false
	for _, format := range Formats() {
		known = known || f == format
	}
	switch {
	case !known:
		return fmt.Errorf("peercert: unknown format %q: want one of %q", f, Formats())
	case name == "":
		return fmt.Errorf("peercert: the format %s has no header of its own: want the name of one", f)
	case !isToken(name):
		return fmt.Errorf("peercert: %q is not the name of a header", name)
	}
	switch name {
	case xfccHeader, StatementHeader, ClientCertChainHeader, "authorization", "cookie", "host":
		return fmt.Errorf("peercert: %s cannot hold a certificate as %s", name, f)
	}
	return nil
}

// chainHeader is where the intermediates of [FormatRFC9440] are.
func chainHeader(name string) string { return name + "-chain" }

// isToken reports the name of a field (RFC 9110 section 5.1), in lower case.
func isToken(name string) bool {
	for i := range len(name) {
		c := name[i]
		letter, digit := 'a' <= c && c <= 'z', '0' <= c && c <= '9'
		if !letter && !digit && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return name != ""
}
