package listener

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"sync"
)

// identity holds the TLS side of one listener: the configuration built from the
// files as they were last good.
type identity struct {
	files    []part
	load     func() (*tls.Config, error)
	reloaded func(error)

	mu      sync.Mutex
	seen    []os.FileInfo
	current *tls.Config
	fault   error
}

// part is a file by what it is for.
type part struct{ part, path string }

// newIdentity makes one of files and of what builds a configuration from them.
func newIdentity(files []part, load func() (*tls.Config, error), reloaded func(error)) (*identity, error) {
	id := &identity{files: files, load: load, reloaded: reloaded}
	var err error
	if id.seen, err = id.stat(); err != nil {
		return nil, err
	}
	if id.current, err = id.load(); err != nil {
		return nil, err
	}
	return id, nil
}

// newCallersIdentity proves callers by their certificates.
func newCallersIdentity(m MTLS, reloaded func(error)) (*identity, error) {
	names, err := m.names()
	if err != nil {
		return nil, err
	}
	return newIdentity([]part{{"certificate", m.Certificate}, {"key", m.Key}, {"trustedCA", m.TrustedCA}}, func() (*tls.Config, error) { return m.config(names) }, reloaded)
}

// serverConfig is what the listener starts with; each handshake gets the
// configuration of now.
func (id *identity) serverConfig() *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS12,
		SessionTicketsDisabled: true,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return id.refresh(), nil
		},
	}
}

// config builds the configuration from the files. Sessions are never resumed:
// connections last long, so it would save nothing, and each one is judged by
// the names and CAs of now.
func (m MTLS) config(names []Name) (*tls.Config, error) {
	pair, err := readPair(m.Certificate, m.Key)
	if err != nil {
		return nil, err
	}
	roots, err := readRoots(m.TrustedCA)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion:             tls.VersionTLS12,
		Certificates:           []tls.Certificate{pair},
		ClientAuth:             tls.RequireAndVerifyClientCert,
		ClientCAs:              roots,
		SessionTicketsDisabled: true,
		// Not VerifyPeerCertificate, which a resumed session would skip.
		VerifyConnection: func(state tls.ConnectionState) error { return verifyCaller(state, names) },
	}, nil
}

func verifyCaller(state tls.ConnectionState, names []Name) error {
	if len(state.VerifiedChains) == 0 || len(state.PeerCertificates) == 0 {
		return errors.New("mtls: the caller has no verified certificate")
	}
	leaf := state.PeerCertificates[0]
	for _, name := range names {
		if name.Matches(leaf) {
			return nil
		}
	}
	carried := clip(fmt.Sprintf("DNS %q, URI %q", leaf.DNSNames, leaf.URIs))
	return fmt.Errorf("mtls: the caller's certificate (%s) carries none of the names in sans", carried)
}

// refresh returns the configuration of now. While a fault lasts the files are
// read on every call, because what mends it (a mode, say) need not change them.
func (id *identity) refresh() *tls.Config {
	id.mu.Lock()
	changed := id.reload()
	current, fault := id.current, id.fault
	id.mu.Unlock()
	if changed && id.reloaded != nil {
		id.reloaded(fault)
	}
	return current
}

// reload reports whether there is news: new files in use, or a new fault.
func (id *identity) reload() bool {
	seen, err := id.stat()
	if err == nil && id.fault == nil && sameFiles(seen, id.seen) {
		return false
	}
	var loaded *tls.Config
	if err == nil {
		loaded, err = id.load()
	}
	if err != nil {
		news := id.fault == nil || id.fault.Error() != err.Error()
		id.fault = err
		return news
	}
	id.seen, id.current, id.fault = seen, loaded, nil
	return true
}

// health reads changed files too, so that a fault shows before the next caller
// comes.
func (id *identity) health() error {
	id.refresh()
	id.mu.Lock()
	defer id.mu.Unlock()
	return id.fault
}

// stat is taken before the files are read: a change in between shows next time.
func (id *identity) stat() ([]os.FileInfo, error) {
	var infos []os.FileInfo
	for _, file := range id.files {
		info, err := os.Stat(file.path)
		if err != nil {
			return nil, &PartError{file.part, err}
		}
		infos = append(infos, info)
	}
	return infos, nil
}

func sameFiles(a, b []os.FileInfo) bool {
	for i := range a {
		if !os.SameFile(a[i], b[i]) || a[i].Size() != b[i].Size() || !a[i].ModTime().Equal(b[i].ModTime()) {
			return false
		}
	}
	return true
}
