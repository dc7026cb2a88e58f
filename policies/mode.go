package policies

import "github.com/certbearer/certbearer/policies/truststore"

// Mode says whether what is decided about a client is carried out.
type Mode uint8

// The modes. ModeUnsaid leaves it to the route.
const (
	ModeUnsaid Mode = iota
	ModeEnforce
	// ModeShadow lets requests pass unchanged and records what would have been.
	ModeShadow
)

// String returns the word of a document, "" for ModeUnsaid.
func (m Mode) String() string {
	switch m {
	case ModeEnforce:
		return "enforce"
	case ModeShadow:
		return "shadow"
	}
	return ""
}

// Mode returns what the client's document says. A client that is not active was
// turned off by somebody, who is obeyed: no shadow of its own lets it through.
func (c *Client) Mode() Mode {
	if c.status != StatusActive {
		return ModeUnsaid
	}
	return c.extra().mode
}

// InShadow returns the number of clients whose own documents put them in shadow.
func (s *Snapshot) InShadow() int { return s.byMode[ModeShadow] }

// WithMode returns the number of clients whose own documents name a mode.
func (s *Snapshot) WithMode() int { return s.byMode[ModeShadow] + s.byMode[ModeEnforce] }

// ModeOf returns what the document of the client says to which a certificate leads
// by itself: as its pin, or by its CA and subject. That a route or a request names a
// client does not count. It is ModeUnsaid where none is found, or several.
func (s *Snapshot) ModeOf(chain *truststore.Chain) Mode {
	client, err := s.byCertificate(chain, nil)
	if err != nil {
		return ModeUnsaid
	}
	return client.Mode()
}
