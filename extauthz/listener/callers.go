package listener

import (
	"errors"
	"fmt"
)

// Callers says who is believed on a TCP listener for evidence. Exactly one of
// the two is set there; on a Unix socket, whose file proves the callers,
// neither.
type Callers struct {
	MTLS *MTLS
	// Unauthenticated believes whoever can connect. Every one of them can have
	// any client's token.
	Unauthenticated bool
}

// MTLS proves callers by a certificate of TrustedCA that carries one of SANs.
// The three files are PEM and are read again when they change; files that
// cannot be used leave the last good ones in place.
type MTLS struct {
	Certificate string   // file: our certificate and its intermediates
	Key         string   // file: its private key
	TrustedCA   string   // file: the CAs of the callers' certificates
	SANs        []string // as ParseName reads them; at least one
}

// maxSANs bounds what each handshake compares.
const maxSANs = 256

func (c Callers) check(address Address) error {
	switch {
	case address.Unix() && (c.MTLS != nil || c.Unauthenticated):
		return fmt.Errorf("listener %s: the mode of a Unix socket proves its callers; remove \"callers\"", address)
	case address.Unix():
		return nil
	case c.MTLS != nil && c.Unauthenticated:
		return fmt.Errorf("listener %s: callers are proven by mtls or unauthenticated, not both", address)
	case c.MTLS == nil && !c.Unauthenticated:
		return fmt.Errorf("listener %s: TCP does not prove who calls, and whoever calls can have any client's token: "+
			"use a Unix socket (\"unix:/path\"), or write \"callers: {certificate: …, key: …, trustedCA: …, sans: [spiffe://…]}\", "+
			"or, to believe everyone who can connect, \"callers: unauthenticated\"", address)
	}
	return nil
}

func (m *MTLS) names() ([]Name, error) {
	if len(m.SANs) == 0 {
		return nil, errors.New("mtls: sans is empty: name at least one caller, such as spiffe://example.org/envoy")
	}
	if len(m.SANs) > maxSANs {
		return nil, fmt.Errorf("mtls: %d sans, at most %d", len(m.SANs), maxSANs)
	}
	names := make([]Name, 0, len(m.SANs))
	for i, text := range m.SANs {
		name, err := ParseName(text)
		if err != nil {
			return nil, fmt.Errorf("mtls: sans[%d]: %w", i, err)
		}
		names = append(names, name)
	}
	return names, nil
}
