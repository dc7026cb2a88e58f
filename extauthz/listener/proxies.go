package listener

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"time"
)

// ProxiesConfig describes a listener for proxies that are known by their
// certificates or by their addresses. Without TLS they are known by address only.
type ProxiesConfig struct {
	Address string
	Proxies []Proxy
	// TLS, if it is set, ends TLS here. Proxies that are known by name need it, with
	// a TrustedCA.
	TLS    *ProxiesTLS
	Limits HTTPLimits
	// ConnectionAge is when a proxy is asked to connect anew: it bounds how long one
	// is believed whose certificate has ended. Zero is an hour.
	ConnectionAge time.Duration
	Events        Events
	Log           *slog.Logger
}

// ProxiesTLS are PEM files, which are read again when they change; files that
// cannot be used leave the last good ones in place.
type ProxiesTLS struct {
	Certificate string // our certificate and its intermediates
	Key         string // its private key
	TrustedCA   string // the CAs of the proxies' certificates, "" where none is known by name
}

// Proxy is a caller who is believed about certificates. A connection is of the
// one proxy that it matches; one that matches none, or two, is refused.
type Proxy struct {
	Name string
	// SANs are the names, as ParseName reads them, of which its certificate has one.
	SANs []string
	// Addresses are the networks that it connects from. They prove little: whoever
	// can connect from there is believed.
	Addresses []netip.Prefix
	// Handler answers this proxy's requests.
	Handler http.Handler
}

// knownProxy is a Proxy with its names read.
type knownProxy struct {
	Proxy
	names []Name
}

// ListenProxies opens the address and builds the server.
func ListenProxies(ctx context.Context, config ProxiesConfig) (*HTTP, error) {
	address, err := ParseAddress(config.Address)
	if err != nil {
		return nil, err
	}
	if address.Unix() {
		return nil, fmt.Errorf("listener %s: who connects to a Unix socket has neither an address nor a certificate", address)
	}
	gate := &proxyGate{events: config.Events, age: cmp.Or(config.ConnectionAge, time.Hour)}
	if err := gate.know(config); err != nil {
		return nil, fmt.Errorf("listener %s: %w", address, err)
	}
	if config.TLS != nil {
		if gate.identity, err = config.TLS.identity(gate.named(), config.Events.Reloaded); err != nil {
			return nil, fmt.Errorf("listener %s: %w", address, err)
		}
	}
	limits := config.Limits.orDefaults()
	open, err := listen(ctx, address, limits.Connections)
	if err != nil {
		return nil, err
	}
	gate.Listener = open
	server := newHTTPServer(http.HandlerFunc(gate.serve), limits, config.Events, config.Log, gate.identity != nil)
	server.ConnContext = gate.connContext
	h := &HTTP{listener: gate, identity: gate.identity, server: server}
	if gate.identity != nil {
		h.listener = tls.NewListener(gate, gate.serverConfig())
	}
	return h, nil
}

func (t ProxiesTLS) identity(byName bool, reloaded func(error)) (*identity, error) {
	files := []part{{"certificate", t.Certificate}, {"key", t.Key}}
	if byName {
		files = append(files, part{"trustedCA", t.TrustedCA})
	}
	return newIdentity(files, func() (*tls.Config, error) { return t.config(byName) }, reloaded)
}

// config is that of a handshake without what depends on the connection. Go does
// not judge the proxy's certificate, so that whatever is wrong with it is refused,
// and told, in one place.
func (t ProxiesTLS) config(byName bool) (*tls.Config, error) {
	pair, err := readPair(t.Certificate, t.Key)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{
		MinVersion:             tls.VersionTLS12,
		Certificates:           []tls.Certificate{pair},
		NextProtos:             []string{"http/1.1"},
		SessionTicketsDisabled: true,
	}
	if !byName {
		return config, nil
	}
	if config.ClientCAs, err = readRoots(t.TrustedCA); err != nil {
		return nil, err
	}
	config.ClientAuth = tls.RequestClientCert
	return config, nil
}

// proxyGate finds out whose a connection is, before a request is read from it.
type proxyGate struct {
	net.Listener
	proxies  []knownProxy
	identity *identity // nil without TLS
	events   Events
	age      time.Duration
}

// proxyConn is a connection and whose it is. It is set before the first request,
// by the goroutine that reads them.
type proxyConn struct {
	net.Conn
	began time.Time
	proxy *knownProxy
}

func (g *proxyGate) know(config ProxiesConfig) error {
	if len(config.Proxies) == 0 {
		return errors.New("proxies: there is none")
	}
	for _, proxy := range config.Proxies {
		known := knownProxy{Proxy: proxy}
		switch {
		case proxy.Handler == nil:
			return fmt.Errorf("proxy %s: no handler", proxy.Name)
		case (len(proxy.SANs) > 0) == (len(proxy.Addresses) > 0):
			return fmt.Errorf("proxy %s: is known by names or by addresses", proxy.Name)
		case len(proxy.SANs) > 0 && (config.TLS == nil || config.TLS.TrustedCA == ""):
			return fmt.Errorf("proxy %s: is known by names, and there is no trusted CA", proxy.Name)
		}
		for _, text := range proxy.SANs {
			name, err := ParseName(text)
			if err != nil {
				return fmt.Errorf("proxy %s: %w", proxy.Name, err)
			}
			known.names = append(known.names, name)
		}
		g.proxies = append(g.proxies, known)
	}
	return nil
}

// named reports that some proxy is known by its certificate.
func (g *proxyGate) named() bool {
	return slices.ContainsFunc(g.proxies, func(p knownProxy) bool { return len(p.names) > 0 })
}

// Accept returns the next connection that can be a proxy's. Where nobody is known
// by name the address decides at once, before a byte is read.
func (g *proxyGate) Accept() (net.Conn, error) {
	for {
		conn, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		accepted := &proxyConn{Conn: conn, began: time.Now()}
		if g.named() {
			return accepted, nil
		}
		if err := g.decide(accepted, nil); err == nil {
			return accepted, nil
		}
		_ = conn.Close() // it was told that we do not talk to it
	}
}

// serverConfig gives each handshake the configuration of now, which knows the
// connection.
func (g *proxyGate) serverConfig() *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS12,
		SessionTicketsDisabled: true,
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			config := g.identity.refresh()
			conn, ours := hello.Conn.(*proxyConn)
			if !ours {
				return nil, errors.New("proxies: a connection of unknown origin")
			}
			if config.ClientCAs == nil {
				return config, nil // the address has decided
			}
			config = config.Clone()
			// Not VerifyPeerCertificate, which a connection without a certificate skips.
			config.VerifyConnection = func(state tls.ConnectionState) error {
				return g.decide(conn, &presentedBy{state, config})
			}
			return config, nil
		},
	}
}

// connContext hands the connection to its requests.
func (g *proxyGate) connContext(ctx context.Context, conn net.Conn) context.Context {
	if secured, isTLS := conn.(*tls.Conn); isTLS {
		conn = secured.NetConn()
	}
	return context.WithValue(ctx, proxyConnKey{}, conn)
}

type proxyConnKey struct{}

// serve hands the request to the handler of the proxy whose the connection is.
func (g *proxyGate) serve(w http.ResponseWriter, r *http.Request) {
	conn, _ := r.Context().Value(proxyConnKey{}).(*proxyConn)
	if conn == nil || conn.proxy == nil {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	if time.Since(conn.began) > g.age {
		w.Header().Set("Connection", "close")
	}
	conn.proxy.Handler.ServeHTTP(w, r)
}
