package listener

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
)

// HTTPConfig describes a listener of HTTP/1.1: behind Envoy, for operators on
// loopback, or for clients, with TLS. What a plain one serves must not believe its
// callers about certificates without a proof of its own.
type HTTPConfig struct {
	Address string
	Handler http.Handler
	// TLS, if it is set, ends TLS here and asks for client certificates; then it is
	// the Handler's to judge them.
	TLS    *TLS
	Limits HTTPLimits
	Events Events
	// Log gets what net/http has to say of connections; nil drops it.
	Log *slog.Logger
}

// HTTP is an HTTP server on an open socket.
type HTTP struct {
	listener net.Listener
	server   *http.Server
	identity *identity // nil without TLS
}

// ListenHTTP opens the address and builds the server.
func ListenHTTP(ctx context.Context, config HTTPConfig) (*HTTP, error) {
	if config.Handler == nil {
		return nil, errors.New("http listener: no handler")
	}
	address, err := ParseAddress(config.Address)
	if err != nil {
		return nil, err
	}
	var id *identity
	if config.TLS != nil {
		if id, err = newAskingIdentity(*config.TLS, config.Events.Reloaded); err != nil {
			return nil, fmt.Errorf("listener %s: %w", address, err)
		}
	}
	limits := config.Limits.orDefaults()
	open, err := listen(ctx, address, limits.Connections)
	if err != nil {
		return nil, err
	}
	if id != nil {
		open = tls.NewListener(open, id.serverConfig())
	}
	server := newHTTPServer(config.Handler, limits, config.Events, config.Log, id != nil)
	return &HTTP{listener: open, identity: id, server: server}, nil
}

// newHTTPServer bounds what callers may ask for. Where strangers can connect, their
// handshakes fail as often as they like, and are not worth a line each.
func newHTTPServer(handler http.Handler, limits HTTPLimits, events Events, log *slog.Logger, endsTLS bool) *http.Server {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	level := slog.LevelWarn
	if endsTLS {
		level = slog.LevelDebug
	}
	return &http.Server{
		Handler:           http.MaxBytesHandler(recovering(handler, events), limits.BodyBytes),
		ReadHeaderTimeout: limits.HeaderTimeout,
		ReadTimeout:       limits.ReadTimeout,
		WriteTimeout:      limits.WriteTimeout,
		IdleTimeout:       limits.IdleTimeout,
		MaxHeaderBytes:    limits.HeaderBytes,
		// Go would answer OPTIONS * with 200 by itself, and to a proxy that asks
		// whether a request may pass 200 is a yes.
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     slog.NewLogLogger(log.Handler(), level),
	}
}

// recovering reports a panic and ends its connection: the answer may be half
// written, and a cut one cannot be taken for a whole.
func recovering(next http.Handler, events Events) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			value := recover()
			if value == nil {
				return
			}
			if value != http.ErrAbortHandler {
				events.panicked(r.Method+" "+r.URL.Path, value)
			}
			panic(http.ErrAbortHandler)
		}()
		next.ServeHTTP(w, r)
	})
}

// Fault returns why changed TLS files are not in use, or nil.
func (h *HTTP) Fault() error {
	if h.identity == nil {
		return nil
	}
	return h.identity.health()
}

// Addr returns the address that was opened, with the port that was chosen.
func (h *HTTP) Addr() net.Addr { return h.listener.Addr() }

// Serve answers until Shutdown or Close, which make it return nil.
func (h *HTTP) Serve() error {
	err := h.server.Serve(h.listener)
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Shutdown stops accepting, lets requests under way finish and returns nil. If
// ctx ends first, what is left is cut off and the error says so.
func (h *HTTP) Shutdown(ctx context.Context) error {
	if err := h.server.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("requests under way were cut off: %w", err), h.Close())
	}
	return closed(h.listener.Close())
}

// Close ends everything at once.
func (h *HTTP) Close() error {
	return errors.Join(closed(h.server.Close()), closed(h.listener.Close()))
}
