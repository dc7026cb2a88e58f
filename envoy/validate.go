package envoy

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	maxText    = 4096 // bytes of a path or a name
	maxRoutes  = 1000
	maxMethods = 20
	maxTimeout = time.Minute
)

// ParamError says what is wrong with one parameter, named as in Params
// ("ExtAuthz.Address", "Routes[2].PathPrefix").
type ParamError struct {
	Param   string
	Problem string
}

// Error returns "envoy: PARAM: PROBLEM".
func (e *ParamError) Error() string { return "envoy: " + e.Param + ": " + e.Problem }

// Validate returns every fault of p as [ParamError]s joined by errors.Join, or nil.
func (p Params) Validate() error {
	var f faults
	f.version(p.Version)
	f.listen(p)
	f.path("ServerCertificate", p.ServerCertificate)
	f.path("ServerKey", p.ServerKey)
	f.sdsPath(p.SDSPath)
	f.optionalPath("TrustedCA", p.TrustedCA)
	if p.ClientCertificate != "" && p.ClientCertificate != Optional && p.ClientCertificate != Required {
		f.add("ClientCertificate", "must be %q or %q", Optional, Required)
	}
	f.legacy(p)
	f.front(p.Front)
	f.endpoint("ExtAuthz", p.ExtAuthz)
	if p.Timeout < 0 || p.Timeout > maxTimeout {
		f.add("Timeout", "must be between 0 and %v", maxTimeout)
	}
	if p.HTTP != (Endpoint{}) {
		f.endpoint("HTTP", p.HTTP)
	}
	f.upstream("Upstream", p.Upstream)
	f.routes(p.Routes)
	f.ownEndpoints(p)
	f.jwt(p)
	f.optionalPath("AccessLog", p.AccessLog)
	return f.join()
}

// faults collects: whoever writes a configuration wants to see all that is wrong with it.
type faults []error

func (f *faults) join() error { return errors.Join(*f...) }

func (f *faults) add(param, format string, args ...any) {
	*f = append(*f, &ParamError{Param: param, Problem: fmt.Sprintf(format, args...)})
}

func (f *faults) version(v Version) {
	if v != "" && !slices.Contains(Versions(), v) {
		f.add("Version", "must be one of %q", Versions())
	}
}

func (f *faults) listen(p Params) {
	if _, err := parseListen(p.Listen); err != nil {
		f.add("Listen", "%v", err)
	}
	if p.PublicListen != "" {
		if _, err := parseListen(p.PublicListen); err != nil {
			f.add("PublicListen", "%v", err)
		}
		if p.HTTP.Address == "" {
			f.add("PublicListen", "needs HTTP: there is nothing else to serve")
		}
	}
	if p.AdminListen == "" {
		return
	}
	admin, err := parseListen(p.AdminListen)
	if err != nil {
		f.add("AdminListen", "%v", err)
		return
	}
	if !admin.local() {
		f.add("AdminListen", "must be a loopback address: whoever reaches it may read and stop Envoy")
	}
}

func (f *faults) legacy(p Params) {
	switch p.WithoutCertificate {
	case "", Deny:
		if p.LegacyUpstream != (Upstream{}) {
			f.add("LegacyUpstream", "has a meaning only where WithoutCertificate is %q", Legacy)
		}
		return
	case Legacy:
	default:
		f.add("WithoutCertificate", "must be %q or %q", Deny, Legacy)
		return
	}
	if p.ClientCertificate == Required {
		f.add("WithoutCertificate", "is %q, and ClientCertificate lets nobody in without one", Legacy)
	}
	if p.Front != nil {
		f.add("WithoutCertificate", "is %q, and the proxy in front has a certificate on every connection", Legacy)
	}
	if p.LegacyUpstream != (Upstream{}) {
		f.upstream("LegacyUpstream", p.LegacyUpstream)
	}
}

func (f *faults) front(front *Front) {
	if front == nil {
		return
	}
	f.path("Front.TrustedCA", front.TrustedCA)
	// Without a name whoever has a certificate of that CA could name any client.
	if len(front.SANs) == 0 {
		f.add("Front.SANs", "needs at least one")
	}
	for i, name := range front.SANs {
		if name == "" || checkText(name) != nil {
			f.add(fmt.Sprintf("Front.SANs[%d]", i), "must be 1 to %d bytes without control characters", maxText)
		}
	}
}

func (f *faults) endpoint(param string, e Endpoint) {
	at, err := parseAddress(e.Address)
	if err != nil {
		f.add(param+".Address", "%v", err)
		return
	}
	if e.TLS == nil {
		if !at.local() && !e.Plaintext {
			f.add(param+".TLS", "is required for a TCP address beyond loopback, unless Plaintext is set")
		}
		return
	}
	if at.socket != "" {
		f.add(param+".TLS", "has no meaning on a Unix socket")
	}
	f.clientTLS(param+".TLS", *e.TLS)
}

func (f *faults) clientTLS(param string, t ClientTLS) {
	f.path(param+".Certificate", t.Certificate)
	f.path(param+".Key", t.Key)
	f.path(param+".TrustedCA", t.TrustedCA)
	if err := checkHost(t.ServerName); err != nil {
		f.add(param+".ServerName", "%v", err)
	}
	if t.ServerURI == "" {
		return
	}
	if u, err := url.Parse(t.ServerURI); err != nil || u.Scheme == "" || checkText(t.ServerURI) != nil {
		f.add(param+".ServerURI", "must be a URI with a scheme")
	}
}

func (f *faults) upstream(param string, u Upstream) {
	switch u.Scheme {
	case schemeHTTP, schemeH2C, schemeHTTPS:
	default:
		f.add(param+".Scheme", "must be %q, %q or %q", schemeHTTP, schemeH2C, schemeHTTPS)
	}
	if err := checkHost(u.Host); err != nil {
		f.add(param+".Host", "%v", err)
	}
	if u.Port == 0 {
		f.add(param+".Port", "must be from 1 to 65535")
	}
	f.optionalPath(param+".TrustedCA", u.TrustedCA)
	switch {
	case u.TrustedCA != "" && u.Scheme != schemeHTTPS:
		f.add(param+".TrustedCA", "has a meaning with https only")
	case u.TrustedCA == "" && u.Scheme == schemeHTTPS:
		f.add(param+".TrustedCA", "is required with https: Envoy has no roots of its own (Debian keeps the system's in /etc/ssl/certs/ca-certificates.crt)")
	}
}

func (f *faults) routes(routes []Route) {
	if len(routes) > maxRoutes {
		f.add("Routes", "has %d entries, at most %d are allowed", len(routes), maxRoutes)
		return
	}
	seen := make(map[string]bool, len(routes))
	for i, r := range routes {
		param := fmt.Sprintf("Routes[%d]", i)
		f.route(param, r)
		if seen[r.Name] {
			f.add(param+".Name", "%q stands twice", r.Name)
		}
		seen[r.Name] = true
	}
}

func (f *faults) ownEndpoints(p Params) {
	for i, r := range p.Routes {
		if r.Access == OwnEndpoint && p.HTTP.Address == "" {
			f.add(fmt.Sprintf("Routes[%d].Access", i), "%s needs HTTP", OwnEndpoint)
		}
	}
}

func (f *faults) route(param string, r Route) {
	if r.Name == "" || checkText(r.Name) != nil {
		f.add(param+".Name", "must be 1 to %d bytes without control characters", maxText)
	}
	if r.Host != "" {
		if err := checkHost(strings.TrimPrefix(r.Host, "*.")); err != nil {
			f.add(param+".Host", "%v", err)
		}
	}
	if r.PathPrefix != "" {
		if err := checkPrefix(r.PathPrefix); err != nil {
			f.add(param+".PathPrefix", "%v", err)
		}
	}
	f.access(param, r)
}

func (f *faults) access(param string, r Route) {
	if len(r.Methods) > maxMethods {
		f.add(param+".Methods", "has %d entries, at most %d are allowed", len(r.Methods), maxMethods)
	}
	for _, m := range r.Methods {
		if !isMethod(m) {
			f.add(param+".Methods", "%q is not a method in upper case", m)
		}
	}
	switch r.Access {
	case "", Certificate, Public:
	case OwnEndpoint:
		if r.PathPrefix == "" || r.PathPrefix == "/" {
			f.add(param+".PathPrefix", "must be the endpoint's path")
		}
	case Preflight:
		if len(r.Methods) > 1 || len(r.Methods) == 1 && r.Methods[0] != methodOptions {
			f.add(param+".Methods", "a preflight is always %s", methodOptions)
		}
	default:
		f.add(param+".Access", "must be %q, %q or %q", Certificate, Public, Preflight)
	}
}

func (f *faults) jwt(p Params) {
	if p.JWTAuthn == nil {
		return
	}
	if p.HTTP.Address == "" {
		f.add("HTTP.Address", "is required by JWTAuthn, which fetches the JWKS there")
	}
	if p.JWTAuthn.Issuer == "" || checkText(p.JWTAuthn.Issuer) != nil {
		f.add("JWTAuthn.Issuer", "is required")
	}
	// Without an audience Envoy would accept a token made for another service.
	if len(p.JWTAuthn.Audiences) == 0 {
		f.add("JWTAuthn.Audiences", "needs at least one")
	}
	for i, audience := range p.JWTAuthn.Audiences {
		if audience == "" || checkText(audience) != nil {
			f.add(fmt.Sprintf("JWTAuthn.Audiences[%d]", i), "must be 1 to %d bytes without control characters", maxText)
		}
	}
}

func (f *faults) path(param, path string) {
	if path == "" {
		f.add(param, "is required")
		return
	}
	f.optionalPath(param, path)
}

func (f *faults) optionalPath(param, path string) {
	if err := checkText(path); err != nil {
		f.add(param, "%v", err)
	}
}

func (f *faults) sdsPath(path string) {
	f.path("SDSPath", path)
	if ext := filepath.Ext(path); path != "" && ext != ".yaml" && ext != ".json" {
		f.add("SDSPath", "must end in .yaml or .json, by which Envoy picks the format")
	}
}

func checkText(text string) error {
	if len(text) > maxText {
		return fmt.Errorf("has %d bytes, at most %d are allowed", len(text), maxText)
	}
	if !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
		return errors.New("must be UTF-8 without control characters")
	}
	return nil
}

// checkPrefix accepts what Envoy's path_separated_prefix can mean exactly: no
// closing slash (it would match less than certbearer's own), no query, no
// fragment, nothing that path normalisation would have changed in a request.
func checkPrefix(prefix string) error {
	switch {
	case prefix == "/":
		return nil
	case !strings.HasPrefix(prefix, "/"):
		return errors.New(`must begin with "/"`)
	case strings.HasSuffix(prefix, "/"):
		return errors.New(`must not end with "/": whole segments are matched`)
	case strings.ContainsAny(prefix, `?#\%`):
		return errors.New("must be a plain path, without query, fragment, backslash or escapes")
	case strings.Contains(prefix, "//"):
		return errors.New("must not hold an empty segment")
	}
	for segment := range strings.SplitSeq(prefix, "/") {
		if segment == "." || segment == ".." {
			return errors.New(`must not hold "." or ".." segments`)
		}
	}
	return checkText(prefix)
}

func isMethod(method string) bool {
	for _, c := range []byte(method) {
		if (c < 'A' || c > 'Z') && c != '-' {
			return false
		}
	}
	return method != "" && len(method) <= 32
}
