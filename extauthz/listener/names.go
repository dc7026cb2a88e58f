package listener

import (
	"crypto/x509"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

const (
	dnsPrefix = "dns:"
	// maxURI is the limit of a SPIFFE ID (SPIFFE-ID section 2.3), in bytes.
	maxURI = 2048
	// maxDNS is the limit of a host name (RFC 1035 section 2.3.4), in bytes.
	maxDNS   = 253
	maxLabel = 63
)

// Name is one subject alternative name that proves a caller. The zero value
// matches nothing.
type Name struct {
	uri string
	dns string
}

// ParseName reads a URI such as "spiffe://example.org/envoy", or a DNS name,
// "dns:envoy.example.org" or bare. There are no wildcards and no patterns.
func ParseName(text string) (Name, error) {
	if strings.Contains(text, "://") {
		return parseURI(text)
	}
	dns := strings.ToLower(strings.TrimPrefix(text, dnsPrefix))
	if !isDNSName(dns) {
		return Name{}, fmt.Errorf("caller name %q: neither a URI nor a DNS name without wildcard", clip(text))
	}
	return Name{dns: dns}, nil
}

func parseURI(text string) (Name, error) {
	if len(text) > maxURI {
		return Name{}, fmt.Errorf("caller name: over %d bytes", maxURI)
	}
	uri, err := url.Parse(text)
	if err != nil || uri.Host == "" {
		return Name{}, fmt.Errorf("caller name %q: not a URI with a host", clip(text))
	}
	// A name that changes when it is read and written again could never equal
	// the one in a certificate, which goes the same way.
	if uri.String() != text || uri.User != nil || uri.RawQuery != "" || uri.Fragment != "" {
		return Name{}, fmt.Errorf("caller name %q: write the plain URI: no user, query, fragment or unusual escaping", clip(text))
	}
	return Name{uri: text}, nil
}

// Matches reports whether the certificate carries the name. URIs are compared
// as a whole, DNS names without regard to case. A certificate with several
// URIs matches none: SPIFFE allows one (X509-SVID section 2).
func (n Name) Matches(leaf *x509.Certificate) bool {
	if n.uri != "" {
		return len(leaf.URIs) == 1 && leaf.URIs[0].String() == n.uri
	}
	for _, name := range leaf.DNSNames {
		if n.dns != "" && strings.EqualFold(name, n.dns) {
			return true
		}
	}
	return false
}

// String returns the name in the form that ParseName reads.
func (n Name) String() string {
	if n.uri != "" {
		return n.uri
	}
	return dnsPrefix + n.dns
}

func isDNSName(name string) bool {
	if name == "" || len(name) > maxDNS {
		return false
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if !isLabel(label) {
			return false
		}
	}
	return true
}

func isLabel(label string) bool {
	if label == "" || len(label) > maxLabel || label[0] == '-' || label[len(label)-1] == '-' {
		return false
	}
	return strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") == ""
}

// clip bounds what an error repeats of its input.
func clip(text string) string {
	const limit = 200
	if len(text) > limit {
		return strings.ToValidUTF8(text[:limit], "") + "…"
	}
	return text
}
