package extauthz

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/certbearer/certbearer/extauthz/tokens"
	"github.com/certbearer/certbearer/extauthz/wire"
	"github.com/certbearer/certbearer/policies/decision"
)

// Access says what a route asks of a caller. The zero value asks for a
// certificate.
type Access uint8

// The kinds of access.
const (
	// AccessCertificate: a certificate that a client's trust store accepts.
	AccessCertificate Access = iota
	// AccessPublic: nothing.
	AccessPublic
	// AccessPreflight: nothing, for CORS preflights only.
	AccessPreflight
	// AccessEndpoint: nothing here. The request goes to an endpoint of ours, which
	// is told which certificate the connection proved.
	AccessEndpoint
)

// InboundAuthorization says what becomes of an Authorization header that the
// caller sends.
type InboundAuthorization uint8

const (
	// InboundReject refuses the request.
	InboundReject InboundAuthorization = iota
	// InboundReplace ignores the header; it is overwritten or taken off.
	InboundReplace
	// InboundVerify takes a token of ours that is bound to the connection's
	// certificate, which narrows what the injected one may do, and refuses all else.
	InboundVerify
	// InboundPass is InboundVerify for tokens of ours, and leaves every other
	// Authorization as it is: no token is injected then. It is the one value that
	// lets something of the caller's reach the upstream.
	InboundPass
)

// Inject says what stands in the tokens of a route, and what beside them.
type Inject struct {
	Bind tokens.Binding
	Typ  string // tokens.TypAccessToken or tokens.TypJWT
	// ClientCert hands the proven certificate to the upstream, in Client-Cert.
	ClientCert bool
}

// Match is which requests a route is for. Empty fields match all.
type Match struct {
	// Host is a lower-case name, "*.example.com" for the names below it, or "*".
	Host string
	// PathPrefix is a normalised path; it ends at a segment's end.
	PathPrefix string
	// Methods are upper-case.
	Methods []string
}

// Route is how a part of the requests is decided.
type Route struct {
	Name     string
	Match    Match
	Access   Access
	ClientID string   // the only client, "" for any
	Audience string   // of the injected token
	Scope    []string // of the injected token, as far as it is the client's
	Inbound  InboundAuthorization
	Inject   Inject
	// Shadow lets requests of the route pass as they came, whatever is decided. It
	// has no effect with [AccessEndpoint].
	Shadow bool
}

// The context extensions that the proxy's configuration may set.
const (
	extensionPrefix = "certbearer."
	extensionRoute  = "certbearer.route"
)

// Routes is an ordered list of routes of which the first match counts.
type Routes struct {
	ordered []*Route
	byName  map[string]*Route
	byPath  bool // some route looks at the path
	// allShadow: every route is in shadow, those to our endpoints aside.
	allShadow bool
}

// injectClientCert reports a route whose upstream gets certificates.
func (r *Routes) injectClientCert() bool {
	return slices.ContainsFunc(r.ordered, func(route *Route) bool { return route.Inject.ClientCert })
}

// NewRoutes checks and orders routes. Every route has a name of its own, and
// those for certificates an audience.
func NewRoutes(routes []Route) (*Routes, error) {
	if len(routes) == 0 {
		return nil, errors.New("routes: there is none")
	}
	r := &Routes{byName: make(map[string]*Route, len(routes)), allShadow: true}
	for _, route := range routes {
		switch {
		case route.Name == "":
			return nil, errors.New("routes: one has no name")
		case r.byName[route.Name] != nil:
			return nil, fmt.Errorf("routes: two have the name %s", route.Name)
		case route.Access == AccessCertificate && route.Audience == "":
			return nil, fmt.Errorf("routes: %s has no audience", route.Name)
		case route.Access != AccessCertificate && route.Inject.ClientCert:
			return nil, fmt.Errorf("routes: %s asks for no certificate and hands one on", route.Name)
		}
		r.ordered = append(r.ordered, &route)
		r.allShadow = r.allShadow && (route.Shadow || route.Access == AccessEndpoint)
		r.byName[route.Name] = &route
		r.byPath = r.byPath || route.Match.PathPrefix != "" && route.Match.PathPrefix != "/"
	}
	return r, nil
}

// Select returns the route that the proxy names, or else the first that
// matches.
//
// The error is ContextExtensionUnknown, RouteUnknown, PreflightExpected,
// PathAmbiguous or RouteUnmatched.
func (r *Routes) Select(request *wire.Request, t *decision.Trace) (*Route, error) {
	route, err := r.choose(request)
	if err != nil {
		t.Fail(decision.StepRoute, "%v", err)
		return nil, err
	}
	if t.On() {
		t.Pass(decision.StepRoute, "route %s", route.Name)
	}
	return route, nil
}

func (r *Routes) choose(request *wire.Request) (*Route, error) {
	name, named, err := routeExtension(request.ContextExtensions)
	if err != nil {
		return nil, err
	}
	if named {
		return r.named(name, request)
	}
	if err := r.checkPath(request); err != nil {
		return nil, err
	}
	route := r.covering(request, request.Path)
	if route == nil {
		return nil, decision.Denyf(decision.RouteUnmatched, "request", "no route covers it")
	}
	return route, nil
}

func (r *Routes) covering(request *wire.Request, path string) *Route {
	for _, route := range r.ordered {
		if route.covers(request, path) {
			return route
		}
	}
	return nil
}

// routeExtension refuses what it does not know of our own prefix: a misspelled
// key must not leave a request to another route.
func routeExtension(extensions map[string]string) (name string, named bool, err error) {
	for key, value := range extensions {
		switch {
		case key == extensionRoute:
			name, named = value, true
		case strings.HasPrefix(key, extensionPrefix):
			return "", false, decision.Denyf(decision.ContextExtensionUnknown, "context_extensions", "%.80q is not known", key)
		}
	}
	return name, named, nil
}

func (r *Routes) named(name string, request *wire.Request) (*Route, error) {
	route, found := r.byName[name]
	if !found {
		return nil, decision.Denyf(decision.RouteUnknown, extensionRoute, "no route has the name %.80q", name)
	}
	if route.Access == AccessPreflight && !isPreflight(request) {
		return nil, decision.Denyf(decision.PreflightExpected, "route "+route.Name, "the request is no CORS preflight")
	}
	if err := r.checkPath(request); err != nil {
		return nil, err
	}
	if route.Access != AccessCertificate {
		return route, checkPlain(request)
	}
	return route, nil
}

// checkPath refuses, where routes are told apart by path, one that an upstream
// could read as another route's. It does so where the proxy has named the route
// too: the proxy chose it by the path as it stands. No proxy cuts off what
// follows a semicolon, as some services do, and one whose operator forgot to
// have paths normalised reads dots and slashes otherwise as well.
func (r *Routes) checkPath(request *wire.Request) error {
	if !r.byPath {
		return nil
	}
	if err := checkShape(request); err != nil {
		return err
	}
	if r.covering(request, request.Path) != r.covering(request, reading(request.Path)) {
		return decision.Denyf(decision.PathAmbiguous, "path", "it could be read as another route's")
	}
	return nil
}

// checkPlain is for routes that ask for nothing, which the proxy may have told
// from others by paths that only it knows: the path must have one reading.
func checkPlain(request *wire.Request) error {
	if err := checkShape(request); err != nil {
		return err
	}
	if reading(request.Path) != request.Path {
		return decision.Denyf(decision.PathAmbiguous, "path", "it has a semicolon, or encodes what needs no encoding, and the route asks for no certificate")
	}
	return nil
}

func checkShape(request *wire.Request) error {
	if why := ambiguity(request.Path); why != "" {
		return decision.Denyf(decision.PathAmbiguous, "path", "it has %s: have the proxy normalise paths", why)
	}
	return nil
}

func (r *Route) covers(request *wire.Request, path string) bool {
	return matchHost(r.Match.Host, request.Host) &&
		matchPath(r.Match.PathPrefix, path) &&
		(len(r.Match.Methods) == 0 || slices.Contains(r.Match.Methods, request.Method)) &&
		(r.Access != AccessPreflight || isPreflight(request))
}

// isPreflight holds to the Fetch standard: OPTIONS with an Origin and the
// method that is asked for.
func isPreflight(request *wire.Request) bool {
	return request.Method == "OPTIONS" &&
		len(request.Header("origin")) == 1 &&
		len(request.Header("access-control-request-method")) == 1
}

func matchHost(pattern, host string) bool {
	if pattern == "" || pattern == "*" {
		return true
	}
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if below, wild := strings.CutPrefix(pattern, "*"); wild {
		return len(host) > len(below) && strings.HasSuffix(host, below)
	}
	return host == pattern
}

func matchPath(prefix, path string) bool {
	rest, found := strings.CutPrefix(path, prefix)
	return found && (rest == "" || prefix == "" || strings.HasSuffix(prefix, "/") || rest[0] == '/')
}
